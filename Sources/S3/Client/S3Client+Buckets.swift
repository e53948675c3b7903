import NIOCore
import NIOHTTP1

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
        try await self.putBucketCORS(bucket, rules: rules.map(\.element))
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

    func bucketRequest(_ operation: S3Operation, _ method: HTTPMethod, _ bucket: String) -> S3Request {
        S3Request(operation: operation, method: method, bucket: bucket, timeout: self.timeouts.request)
    }
}
