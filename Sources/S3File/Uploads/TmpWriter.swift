import Logging
import NIOCore
import S3

/// Writes an object of which nobody knows beforehand how long it will be, as its bytes come, in constant memory.
///
/// What fits into one buffer is one PUT. More becomes a multipart upload: while one part is on its way, the next one fills, and no more than
/// that is read from whoever sends. Whatever goes wrong, the caller knows what there is to remove.
struct TmpWriter: Sendable {
    /// S3 wants parts of 5 MiB or more.
    static let bufferBytes = 8 << 20

    let storage: any UploadStorage
    let bucket: String
    let logger: Logger

    /// An object has at most 10,000 parts, so that they grow, by 8 MiB after each 1,000.
    static func partBytes(_ number: Int) -> Int {
        Self.bufferBytes * (1 + (number - 1) / 1_000)
    }

    /// - Parameters:
    ///   - inspect: sees the first ``ContentType/sniffedBytes``, or all there are, before a byte is sent; what it throws ends everything.
    ///   - next: the next bytes; what it throws ends everything.
    ///   - stored: gets what is in S3, or may be, also when this throws: what is not wanted is for ``remove(_:)``.
    func write(
        key: String,
        contentType: String,
        inspect: ([UInt8]) throws -> Void,
        next: () async throws -> ByteBuffer?,
        stored: inout [StreamedObject]
    ) async throws {
        var source = Source()
        try await source.read(upTo: ContentType.sniffedBytes, next)
        try inspect(Array(source.ahead.readableBytesView.prefix(ContentType.sniffedBytes)))
        var first = try await source.take(Self.bufferBytes, next)
        let attributes = S3ObjectAttributes(contentType: contentType)
        var object = StreamedObject(key: key)
        // Its fate may be unknown.
        defer { stored.append(object) }
        guard !source.isAtEnd else {
            object.versionID = try await self.storage.putObject(
                bucket: self.bucket,
                key: key,
                body: first,
                attributes: attributes,
                ifNoneMatch: false
            ).versionID
            return
        }
        let uploadID = try await self.storage.createMultipartUpload(bucket: self.bucket, key: key, attributes: attributes)
        object.uploadID = uploadID
        let parts = try await self.sendParts(key, uploadID, first: &first, &source, next)
        object.versionID = try await self.complete(key, uploadID, parts, size: source.taken)
        object.uploadID = nil
    }

    private func sendParts(
        _ key: String,
        _ uploadID: String,
        first: inout ByteBuffer,
        _ source: inout Source,
        _ next: () async throws -> ByteBuffer?
    ) async throws -> [S3Part] {
        try await withThrowingTaskGroup(of: S3Part.self) { group in
            var parts: [S3Part] = []
            var number = 1
            var part = first
            // Or it would stay beside the part that is on its way and the one that fills.
            first = ByteBuffer()
            while true {
                let (sent, sentNumber) = (part, number)
                group.addTask {
                    try await self.storage.uploadPart(
                        bucket: self.bucket,
                        key: key,
                        uploadID: uploadID,
                        number: sentNumber,
                        body: sent
                    )
                }
                guard !source.isAtEnd else { break }
                number += 1
                part = try await source.take(Self.partBytes(number), next)
                if let stored = try await group.next() { parts.append(stored) }
            }
            for try await stored in group { parts.append(stored) }
            return parts
        }
    }

    private func complete(_ key: String, _ uploadID: String, _ parts: [S3Part], size: Int64) async throws -> String? {
        do {
            return try await self.storage.completeMultipartUpload(
                bucket: self.bucket,
                key: key,
                uploadID: uploadID,
                parts: parts,
                size: nil,
                ifNoneMatch: false,
                ifMatch: nil
            ).versionID
        } catch let error as S3Error where error.isOutcomeUnknown {
            // Nobody else knows the key: an object of this size is the one.
            let head = try await self.storage.headObject(bucket: self.bucket, key: key, versionID: nil, checksum: false)
            guard head.size == size else { throw error }
            return head.versionID
        }
    }
}

/// Bytes by the piece as they come, in pieces as they are wanted.
private struct Source {
    /// What was read and not yet taken.
    private(set) var ahead = ByteBuffer()
    /// Whether all was read and taken.
    var isAtEnd: Bool { self.hasEnded && self.ahead.readableBytes == 0 }
    private(set) var taken: Int64 = 0
    private var hasEnded = false

    /// Reads until so many bytes lie ahead, or the end.
    mutating func read(upTo count: Int, _ next: () async throws -> ByteBuffer?) async throws {
        while self.ahead.readableBytes < count, !self.hasEnded {
            if var piece = try await next() {
                if self.ahead.readableBytes == 0 { self.ahead = piece } else { self.ahead.writeBuffer(&piece) }
            } else {
                self.hasEnded = true
            }
        }
    }

    /// So many bytes, or as many as there are; at the end of which it is known whether it is the end.
    mutating func take(_ count: Int, _ next: () async throws -> ByteBuffer?) async throws -> ByteBuffer {
        var buffer = ByteBuffer()
        while true {
            try await self.read(upTo: 1, next)
            guard var piece = self.ahead.readSlice(length: min(count - buffer.readableBytes, self.ahead.readableBytes)),
                piece.readableBytes > 0
            else { break }
            buffer.writeBuffer(&piece)
        }
        self.taken += Int64(buffer.readableBytes)
        return buffer
    }
}
