import NIOCore
import NIOHTTP1

/// Who may call a bucket from a browser.
package struct S3CORSRule: Sendable, Hashable {
    package var allowedOrigins: [String]
    package var allowedMethods: [String]
    package var allowedHeaders: [String]
    package var exposedHeaders: [String]
    package var maximumAge: Duration?

    package init(
        allowedOrigins: [String],
        allowedMethods: [String],
        allowedHeaders: [String] = ["*"],
        exposedHeaders: [String] = ["ETag"],
        maximumAge: Duration? = nil
    ) {
        self.allowedOrigins = allowedOrigins
        self.allowedMethods = allowedMethods
        self.allowedHeaders = allowedHeaders
        self.exposedHeaders = exposedHeaders
        self.maximumAge = maximumAge
    }
}

extension S3Client {
    /// A bucket that is already ours is success.
    package func createBucket(_ bucket: String) async throws {
        var request = self.bucketRequest("CreateBucket", .PUT, bucket)
        // AWS wants the region said, except for the first one; other stores know no regions of that name.
        if self.configuration.endpoint == nil, self.configuration.region != "us-east-1" {
            var writer = XMLWriter()
            writer.element("CreateBucketConfiguration", attributes: [("xmlns", Self.namespace)]) { writer in
                writer.element("LocationConstraint", text: self.configuration.region)
            }
            request.setXML(writer.text)
        }
        do {
            try await self.send(request) { _ throws(S3Error) in }
        } catch let error as S3Error where error.code == .bucketAlreadyOwnedByYou {
            return
        }
    }

    /// Throws unless the bucket is there and the credentials may see it.
    package func headBucket(_ bucket: String) async throws {
        try await self.send(self.bucketRequest("HeadBucket", .HEAD, bucket)) { _ throws(S3Error) in }
    }

    /// The bucket must be empty. One that is gone is success.
    package func deleteBucket(_ bucket: String) async throws {
        do {
            try await self.send(self.bucketRequest("DeleteBucket", .DELETE, bucket)) { _ throws(S3Error) in }
        } catch let error as S3Error where error.code == .noSuchBucket {
            return
        }
    }

    package func putBucketCORS(_ bucket: String, rules: [S3CORSRule]) async throws {
        var writer = XMLWriter()
        writer.element("CORSConfiguration", attributes: [("xmlns", Self.namespace)]) { writer in
            for rule in rules {
                writer.element("CORSRule") { writer in
                    for origin in rule.allowedOrigins { writer.element("AllowedOrigin", text: origin) }
                    for method in rule.allowedMethods { writer.element("AllowedMethod", text: method) }
                    for header in rule.allowedHeaders { writer.element("AllowedHeader", text: header) }
                    for header in rule.exposedHeaders { writer.element("ExposeHeader", text: header) }
                    if let age = rule.maximumAge { writer.element("MaxAgeSeconds", text: String(age.components.seconds)) }
                }
            }
        }
        var request = self.bucketRequest("PutBucketCors", .PUT, bucket)
        request.query = [("cors", "")]
        request.setXML(writer.text)
        try await self.send(request) { _ throws(S3Error) in }
    }

    /// Keeps every version of every object from now on, or no new ones.
    ///
    /// ([AWS: Using versioning](https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html))
    package func putBucketVersioning(_ bucket: String, isEnabled: Bool) async throws {
        var writer = XMLWriter()
        writer.element("VersioningConfiguration", attributes: [("xmlns", Self.namespace)]) { writer in
            writer.element("Status", text: isEnabled ? "Enabled" : "Suspended")
        }
        var request = self.bucketRequest("PutBucketVersioning", .PUT, bucket)
        request.query = [("versioning", "")]
        request.setXML(writer.text)
        try await self.send(request) { _ throws(S3Error) in }
    }

    private func bucketRequest(_ operation: S3Operation, _ method: HTTPMethod, _ bucket: String) -> S3Request {
        S3Request(operation: operation, method: method, bucket: bucket, timeout: self.timeouts.request)
    }
}
