#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension S3Client {
    /// A URL on the public endpoint that gives an object to whoever has it, until it ends, or the credentials do.
    ///
    /// - Parameters:
    ///   - expires: at most seven days.
    ///   - contentDisposition: sent with the object instead of its own, such as `attachment; filename="a.pdf"`.
    ///   - contentType: sent with the object instead of its own.
    package func presignedGetURL(
        bucket: String,
        key: String,
        versionID: String? = nil,
        expires: Duration,
        contentDisposition: String? = nil,
        contentType: String? = nil,
        now: Date = Date()
    ) async throws -> String {
        var query: [(name: String, value: String)] = []
        if let contentDisposition { query.append(("response-content-disposition", contentDisposition)) }
        if let contentType { query.append(("response-content-type", contentType)) }
        if let versionID { query.append(("versionId", versionID)) }
        return try await self.presignedURL("GET", bucket, key, query: query, expires: expires, now: now)
    }

    /// A URL on the public endpoint that takes one part of a multipart upload by PUT, of exactly this size.
    ///
    /// - Parameters:
    ///   - number: from 1 to 10,000.
    ///   - size: in bytes; it is signed as the `content-length` that the sender must send.
    ///   - expires: at most seven days.
    package func presignedPartURL(
        bucket: String,
        key: String,
        uploadID: String,
        number: Int,
        size: Int64,
        expires: Duration,
        now: Date = Date()
    ) async throws -> String {
        try await self.presignedURL(
            "PUT",
            bucket,
            key,
            query: [("partNumber", String(number)), ("uploadId", uploadID)],
            headers: [("content-length", String(size))],
            expires: expires,
            now: now
        )
    }

    private func presignedURL(
        _ method: String,
        _ bucket: String,
        _ key: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)] = [],
        expires: Duration,
        now: Date
    ) async throws -> String {
        let target = try self.resolvedPublicEndpoint().target(bucket: bucket, key: key)
        let credentials = try await self.currentCredentials()
        let now = self.clock.corrected(now)
        var expires = min(expires, SigV4.maximumExpiry)
        if let expiration = credentials.expiration {
            expires = min(expires, .seconds(Int64(expiration.timeIntervalSince(now))))
        }
        return target.url(
            query: SigV4.presignedQuery(
                method: method,
                path: target.path,
                query: query,
                headers: [("host", target.authority)] + headers,
                credentials: credentials,
                region: self.configuration.region,
                expires: expires,
                now: now,
                keys: self.keys
            )
        )
    }

    /// When the credentials end with which is signed now, and so all that is presigned with them; `nil` for those that do not end.
    package func credentialsExpiration() async throws -> Date? {
        try await self.currentCredentials().expiration
    }

    /// The scheme, host and port under which browsers reach a bucket.
    package func publicOrigin(bucket: String) throws(S3Error) -> String {
        let target = try self.resolvedPublicEndpoint().target(bucket: bucket)
        return "\(target.scheme)://\(target.authority)"
    }

    /// Where browsers find a bucket, or an object in it, without any signature.
    package func publicURL(bucket: String, key: String? = nil) throws(S3Error) -> String {
        try self.resolvedPublicEndpoint().target(bucket: bucket, key: key).url()
    }

    /// Where a browser posts a form to, and the fields that allow it.
    package func presignedPost(
        _ policy: PostPolicy,
        now: Date = Date()
    ) async throws -> (url: String, fields: [(name: String, value: String)]) {
        let target = try self.resolvedPublicEndpoint().target(bucket: policy.bucket)
        let credentials = try await self.currentCredentials()
        var policy = policy
        // The policy's end is S3's to check, by its own clock.
        policy.expiration = self.clock.corrected(policy.expiration)
        let now = self.clock.corrected(now)
        let fields = policy.fields(
            credentials: credentials,
            region: self.configuration.region,
            now: now,
            keys: self.keys
        )
        return (target.url(), fields)
    }
}
