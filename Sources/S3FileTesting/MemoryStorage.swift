import Crypto
import NIOCore
import S3
import S3File
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Buckets in memory, with S3's own errors.
final class MemoryStorage: UploadStorage {
    struct Object: Sendable {
        var bytes: ByteBuffer
        var etag: String
        var contentType: String?
        var date: Date
    }

    private struct Place: Hashable {
        var bucket: String
        /// Byte for byte: two spellings of "ü" are two keys.
        var key: [UInt8]

        init(_ bucket: String, _ key: String) {
            self.bucket = bucket
            self.key = Array(key.utf8)
        }
    }

    private struct Multipart {
        var place: Place
        var date: Date
        var contentType: String?
        var parts: [Int: ByteBuffer] = [:]
    }

    private struct State {
        var objects: [Place: Object] = [:]
        var multiparts: [String: Multipart] = [:]
    }

    private let state = Mutex(State())
    private let signer: S3Client

    init(signer: S3Client) {
        self.signer = signer
    }

    func object(_ bucket: String, _ key: String) -> Object? {
        self.state.withLock { $0.objects[Place(bucket, key)] }
    }

    func keys(_ bucket: String) -> [String] {
        self.state.withLock { state in
            state.objects.keys.filter { $0.bucket == bucket }.map { String(decoding: $0.key, as: UTF8.self) }.sorted()
        }
    }

    // MARK: Objects

    func headObject(bucket: String, key: String, versionID: String?, checksum: Bool) async throws -> S3ObjectHead {
        Self.head(try self.existing(bucket, key))
    }

    func openObject(
        bucket: String,
        key: String,
        versionID: String?,
        range: ClosedRange<Int64>?,
        ifMatch: String?
    ) async throws -> StoredObject {
        let object = try self.existing(bucket, key)
        if let ifMatch, !S3ObjectHead.isSameETag(ifMatch, object.etag) {
            throw S3Error(.preconditionFailed, status: 412, message: "The object has another ETag.")
        }
        guard let range else { return StoredObject(head: Self.head(object), bytes: .inMemory(object.bytes)) }
        let wanted = (range.lowerBound..<range.upperBound + 1).clamped(to: 0..<Int64(object.bytes.readableBytes))
        guard !wanted.isEmpty,
            let bytes = object.bytes.getSlice(at: object.bytes.readerIndex + Int(wanted.lowerBound), length: wanted.count)
        else { throw S3Error(.invalidRange, status: 416, message: "The range is not within the object.") }
        return StoredObject(head: Self.head(object), bytes: .inMemory(bytes))
    }

    func putObject(
        bucket: String,
        key: String,
        body: ByteBuffer,
        attributes: S3ObjectAttributes,
        ifNoneMatch: Bool
    ) async throws -> S3PutResult {
        let digest = Insecure.MD5.hash(data: Data(body.readableBytesView)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        let object = Object(bytes: body, etag: "\"\(digest.joined())\"", contentType: attributes.contentType, date: Date())
        try self.state.withLock { state in
            guard !ifNoneMatch || state.objects[Place(bucket, key)] == nil else {
                throw S3Error(.preconditionFailed, status: 412, message: "There is an object.")
            }
            state.objects[Place(bucket, key)] = object
        }
        return S3PutResult(etag: object.etag, versionID: nil)
    }

    func deleteObject(bucket: String, key: String, versionID: String?, ifMatch: String?) async throws {
        self.state.withLock { state in
            if let ifMatch, let object = state.objects[Place(bucket, key)], !S3ObjectHead.isSameETag(ifMatch, object.etag) {
                return
            }
            state.objects[Place(bucket, key)] = nil
        }
    }

    private func existing(_ bucket: String, _ key: String) throws -> Object {
        guard let object = self.object(bucket, key) else {
            throw S3Error(.noSuchKey, status: 404, message: "There is no object.")
        }
        return object
    }

    private static func head(_ object: Object) -> S3ObjectHead {
        S3ObjectHead(
            size: Int64(object.bytes.readableBytes),
            etag: object.etag,
            contentType: object.contentType,
            lastModified: object.date
        )
    }

    // MARK: Parts

    func createMultipartUpload(bucket: String, key: String, attributes: S3ObjectAttributes) async throws -> String {
        let id = UUID().uuidString
        self.state.withLock {
            $0.multiparts[id] = Multipart(place: Place(bucket, key), date: Date(), contentType: attributes.contentType)
        }
        return id
    }

    func uploadPart(bucket: String, key: String, uploadID: String, number: Int, body: ByteBuffer) async throws -> S3Part {
        try self.state.withLock { state in
            guard state.multiparts[uploadID] != nil else { throw S3Error(.noSuchUpload, status: 404, message: "It was aborted.") }
            state.multiparts[uploadID]?.parts[number] = body
        }
        return S3Part(number: number, etag: "\"\(number)\"")
    }

    func completeMultipartUpload(
        bucket: String,
        key: String,
        uploadID: String,
        parts: [S3Part],
        size: Int64?,
        ifNoneMatch: Bool,
        ifMatch: String?
    ) async throws -> S3CompletedUpload {
        guard let multipart = self.state.withLock({ $0.multiparts.removeValue(forKey: uploadID) }) else {
            throw S3Error(.noSuchUpload, status: 404, message: "It was aborted.")
        }
        var body = ByteBuffer()
        for part in parts.sorted(by: { $0.number < $1.number }) {
            guard let bytes = multipart.parts[part.number] else {
                throw S3Error(.invalidPart, status: 400, message: "A part is missing.")
            }
            body.writeImmutableBuffer(bytes)
        }
        let put = try await self.putObject(
            bucket: bucket,
            key: key,
            body: body,
            attributes: S3ObjectAttributes(contentType: multipart.contentType),
            ifNoneMatch: ifNoneMatch
        )
        return S3CompletedUpload(etag: put.etag, versionID: nil)
    }

    func listParts(bucket: String, key: String, uploadID: String) async throws -> [S3ListedPart] {
        guard let multipart = self.state.withLock({ $0.multiparts[uploadID] }) else {
            throw S3Error(.noSuchUpload, status: 404, message: "It was completed or aborted.")
        }
        return multipart.parts.sorted { $0.key < $1.key }.map { number, bytes in
            S3ListedPart(part: S3Part(number: number, etag: "\"\(number)\""), size: Int64(bytes.readableBytes))
        }
    }

    func listMultipartUploads(
        bucket: String,
        prefix: String,
        after marker: S3UploadListing.Marker?
    ) async throws -> S3UploadListing {
        let uploads = self.state.withLock { state in
            state.multiparts.filter { $0.value.place.bucket == bucket }.map { id, multipart in
                S3ListedUpload(
                    key: String(decoding: multipart.place.key, as: UTF8.self),
                    uploadID: id,
                    initiated: multipart.date
                )
            }
        }
        return S3UploadListing(
            uploads: uploads.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key },
            next: nil
        )
    }

    func abortMultipartUpload(bucket: String, key: String, uploadID: String) async throws {
        self.state.withLock { $0.multiparts[uploadID] = nil }
    }

    // MARK: Signing

    func presignedPost(_ policy: PostPolicy, now: Date) async throws -> (url: String, fields: [(name: String, value: String)]) {
        try await self.signer.presignedPost(policy, now: now)
    }

    func presignedGetURL(
        bucket: String,
        key: String,
        versionID: String?,
        expires: Duration,
        contentDisposition: String?,
        contentType: String?,
        now: Date
    ) async throws -> String {
        try await self.signer.presignedGetURL(
            bucket: bucket,
            key: key,
            versionID: versionID,
            expires: expires,
            contentDisposition: contentDisposition,
            contentType: contentType,
            now: now
        )
    }

    func presignedPartURL(
        bucket: String,
        key: String,
        uploadID: String,
        number: Int,
        size: Int64,
        expires: Duration,
        now: Date
    ) async throws -> String {
        try await self.signer.presignedPartURL(
            bucket: bucket,
            key: key,
            uploadID: uploadID,
            number: number,
            size: size,
            expires: expires,
            now: now
        )
    }

    func credentialsExpiration() async throws -> Date? {
        try await self.signer.credentialsExpiration()
    }

    func publicOrigin(bucket: String) throws -> String {
        try self.signer.publicOrigin(bucket: bucket)
    }
}
