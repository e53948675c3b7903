import NIOCore
import S3

/// What a move asks of S3. A simulation puts in a store that needs neither sockets nor time, and loses, delays and repeats as it likes.
protocol MoveStore: Sendable {
    func headObject(bucket: String, key: String, versionID: String?, checksum: Bool) async throws -> S3ObjectHead

    /// Whether a listing shows the key.
    func lists(bucket: String, key: String) async throws -> Bool

    /// At most so many bytes from the beginning of an object that is not empty, with what the store says of the whole.
    func firstBytes(
        _ most: Int,
        bucket: String,
        key: String,
        versionID: String?,
        ifMatch: String
    ) async throws -> (head: S3ObjectHead, bytes: [UInt8])

    func copyObject(_ copy: S3CopyRequest) async throws -> S3CopyResult

    func createMultipartUpload(bucket: String, key: String, attributes: S3ObjectAttributes) async throws -> String

    func uploadPartCopy(_ copy: S3CopyRequest, uploadID: String, number: Int, range: ClosedRange<Int64>?) async throws -> S3Part

    func listParts(bucket: String, key: String, uploadID: String) async throws -> [S3ListedPart]

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
}

extension S3Client: MoveStore {
    func lists(bucket: String, key: String) async throws -> Bool {
        try await self.listObjects(bucket: bucket, prefix: key, maxKeys: 1).objects.first?.key == key
    }

    func firstBytes(
        _ most: Int,
        bucket: String,
        key: String,
        versionID: String?,
        ifMatch: String
    ) async throws -> (head: S3ObjectHead, bytes: [UInt8]) {
        let body = try await self.getObject(
            bucket: bucket,
            key: key,
            versionID: versionID,
            range: 0...Int64(most - 1),
            ifMatch: ifMatch
        )
        var bytes: [UInt8] = []
        for try await buffer in body {
            bytes += buffer.readableBytesView.prefix(most - bytes.count)
            if bytes.count == most { break }
        }
        return (body.head, bytes)
    }
}
