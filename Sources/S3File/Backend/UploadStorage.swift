package import Foundation
package import NIOCore
package import S3

/// What the web side asks of the store. `S3Client` asks S3, and documents each of these.
package protocol UploadStorage: Sendable {
    func headObject(bucket: String, key: String, versionID: String?, checksum: Bool) async throws -> S3ObjectHead
    /// The object, or a part of it, streamed with back-pressure.
    func openObject(
        bucket: String,
        key: String,
        versionID: String?,
        range: ClosedRange<Int64>?,
        ifMatch: String?
    ) async throws -> StoredObject
    func putObject(
        bucket: String,
        key: String,
        body: ByteBuffer,
        attributes: S3ObjectAttributes,
        ifNoneMatch: Bool
    ) async throws -> S3PutResult
    func deleteObject(bucket: String, key: String, versionID: String?, ifMatch: String?) async throws

    func createMultipartUpload(bucket: String, key: String, attributes: S3ObjectAttributes) async throws -> String
    func uploadPart(bucket: String, key: String, uploadID: String, number: Int, body: ByteBuffer) async throws -> S3Part
    func completeMultipartUpload(
        bucket: String,
        key: String,
        uploadID: String,
        parts: [S3Part],
        size: Int64?,
        ifNoneMatch: Bool,
        ifMatch: String?
    ) async throws -> S3CompletedUpload
    func abortMultipartUpload(bucket: String, key: String, uploadID: String) async throws
    func listParts(bucket: String, key: String, uploadID: String) async throws -> [S3ListedPart]
    func listMultipartUploads(
        bucket: String,
        prefix: String,
        after marker: S3UploadListing.Marker?
    ) async throws -> S3UploadListing

    func presignedPost(_ policy: PostPolicy, now: Date) async throws -> (url: String, fields: [(name: String, value: String)])
    func presignedGetURL(
        bucket: String,
        key: String,
        versionID: String?,
        expires: Duration,
        contentDisposition: String?,
        contentType: String?,
        now: Date
    ) async throws -> String
    func presignedPartURL(
        bucket: String,
        key: String,
        uploadID: String,
        number: Int,
        size: Int64,
        expires: Duration,
        now: Date
    ) async throws -> String
    func credentialsExpiration() async throws -> Date?
    func publicOrigin(bucket: String) throws -> String
}

extension S3Client: UploadStorage {
    package func openObject(
        bucket: String,
        key: String,
        versionID: String?,
        range: ClosedRange<Int64>?,
        ifMatch: String?
    ) async throws -> StoredObject {
        let body = try await self.getObject(bucket: bucket, key: key, versionID: versionID, range: range, ifMatch: ifMatch)
        return StoredObject(head: body.head, bytes: .streamed(body))
    }
}
