/// Where an S3 client finds its store, and as whom.
package struct S3Configuration: Sendable {
    /// How a bucket is named in a URL.
    package enum Addressing: String, Sendable, Hashable {
        /// `https://host/bucket/key`
        case path
        /// `https://bucket.host/key`
        case virtualHost = "virtual-host"
    }

    /// Such as `http://127.0.0.1:9000`; nil for AWS in the region.
    package var endpoint: String?
    /// The endpoint as browsers reach it, for presigned URLs and forms; nil when it is the same.
    package var publicEndpoint: String?
    package var region: String
    package var addressing: Addressing
    package var credentials: any S3CredentialsProvider

    /// - Parameter addressing: by default `.path` with a custom endpoint, and AWS's own `.virtualHost` without.
    package init(
        endpoint: String? = nil,
        publicEndpoint: String? = nil,
        region: String,
        addressing: Addressing? = nil,
        credentials: any S3CredentialsProvider
    ) {
        self.endpoint = endpoint
        self.publicEndpoint = publicEndpoint
        self.region = region
        self.addressing = addressing ?? (endpoint == nil ? .virtualHost : .path)
        self.credentials = credentials
    }

    /// Throws what the first request would: for a program to fail at its start.
    package func validate() throws(S3Error) {
        _ = try S3Endpoint(self.endpoint, configuration: self)
        _ = try S3Endpoint(self.publicEndpoint ?? self.endpoint, configuration: self)
    }
}
