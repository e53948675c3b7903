import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import S3

extension Operations {
    func putObject(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let attributes = try self.attributes(request)
        let payload = try self.payload(request, verified)
        let asked = try self.writeCondition(request)
        let condition = try await self.begin(asked, bucket, key, length: payload.length)
        let stored = try await payload.receive(self.disk, checksums: [payload.checksum?.algorithm ?? .standard]) {
            store,
            received in
            try store.commit(
                received.writer,
                ObjectWrite(
                    bucket: bucket,
                    key: key,
                    etag: Self.etag(md5: received.md5, attributes),
                    attributes: attributes,
                    checksums: received.checksums,
                    condition: condition
                )
            )
        }
        var response = Response(status: .ok)
        response.headers.set(written: stored)
        response.headers.setChecksums(of: stored.record)
        return response
    }

    /// A condition as it begins. What is small and has none need not ask: its end will tell.
    func begin(_ condition: WriteCondition, _ bucket: String, _ key: ObjectKey, length: Int64) async throws -> WriteCondition {
        guard !condition.isEmpty || length > Int64(WriteBatch.target) else {
            return condition
        }
        return try await self.disk.run { try $0.begin(condition, bucket, key) }
    }

    /// - Parameter checksumIsOfObject: whether a checksum in the headers is of the object instead of the body.
    func payload(
        _ request: S3Request,
        _ verified: SigV4.Verified,
        checksumIsOfObject: Bool = false
    ) throws(S3Error) -> Payload {
        try Payload(
            request,
            verified,
            secretAccessKey: self.configuration.secretAccessKey,
            checksumIsOfObject: checksumIsOfObject
        )
    }

    func writeCondition(_ request: S3Request) throws(S3Error) -> WriteCondition {
        var condition = WriteCondition(match: request.header("if-match"))
        if let value = request.header("if-none-match") {
            guard value == "*" else {
                throw .notImplemented("If-None-Match with an ETag on a write; only * works")
            }
            condition.requiresNone = true
        }
        return condition
    }
}

extension HTTPFields {
    /// What every answer to a write tells of the object.
    mutating func set(written stored: StoredObject) {
        self[.eTag] = ETag.quoted(stored.record.etag)
        self.set("x-amz-version-id", stored.version)
        self.set(stored.record.attributes.encryption)
    }
}
