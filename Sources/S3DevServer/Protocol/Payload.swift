import Crypto
import Foundation
import HummingbirdCore
import NIOCore
import NIOPosix
import S3

/// The body of a signed request: what the client promised of it, and the reading of it against that.
struct Payload: Sendable {
    static let maximumObjectSize: Int64 = 5 * 1024 * 1024 * 1024

    /// Bytes on the wire.
    let wireLength: Int64
    /// Bytes of the object.
    let length: Int64
    let isChunked: Bool
    private let seed: ChunkedPayload.Seed?
    private let hasTrailer: Bool
    private let sha256: String?
    private let md5: String?
    private let checksum: Checksum.Algorithm?
    private let checksumValue: String?
    private let body: S3Request

    init(_ request: S3Request, _ verified: SigV4.Verified, secretAccessKey: String) throws(S3Error) {
        self.body = request
        self.wireLength = try request.requireContentLength()
        var hasTrailer = false
        switch verified.payloadHash {
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
            (self.isChunked, self.seed, self.sha256) = (true, nil, nil)
            hasTrailer = true
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
            (self.isChunked, self.sha256) = (true, nil)
            self.seed = try Self.seed(request, secretAccessKey: secretAccessKey)
            hasTrailer = verified.payloadHash.hasSuffix("-TRAILER")
        case SigV4.unsignedPayload:
            (self.isChunked, self.seed, self.sha256) = (false, nil, nil)
        default:
            let hash = verified.payloadHash
            guard hash.utf8.count == 64, hash.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
                throw .invalidArgument(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
                )
            }
            (self.isChunked, self.seed, self.sha256) = (false, nil, hash)
        }
        self.hasTrailer = hasTrailer
        if self.isChunked {
            guard let decoded = request.header("x-amz-decoded-content-length").flatMap({ Int64($0) }), decoded >= 0 else {
                throw S3Error(
                    S3Error.Code("MissingContentLength"),
                    status: 411,
                    message: "You must provide the x-amz-decoded-content-length HTTP header."
                )
            }
            self.length = decoded
        } else {
            self.length = self.wireLength
        }
        guard self.length <= Self.maximumObjectSize else {
            throw Self.tooLarge
        }
        self.md5 = request.header("content-md5")
        if let md5 = self.md5, Data(base64Encoded: md5)?.count != 16 {
            throw S3Error(S3Error.Code("InvalidDigest"), status: 400, message: "The Content-MD5 you specified was invalid.")
        }
        (self.checksum, self.checksumValue) = try Self.checksum(request, hasTrailer: hasTrailer)
    }

    static var tooLarge: S3Error {
        S3Error(.entityTooLarge, status: 400, message: "Your proposed upload exceeds the maximum allowed size")
    }

    private static func seed(_ request: S3Request, secretAccessKey: String) throws(S3Error) -> ChunkedPayload.Seed {
        // The header has been verified: it has these parts.
        guard let authorization = request.header("authorization"), let timestamp = request.header("x-amz-date"),
            let signature = authorization.components(separatedBy: "Signature=").last?.prefix(while: { $0 != "," }),
            let credential = authorization.components(separatedBy: "Credential=").last?.prefix(while: { $0 != "," })
        else {
            throw .invalidArgument("A body with signed chunks needs an Authorization header and x-amz-date.")
        }
        let scope = credential.split(separator: "/").suffix(4)
        guard let date = scope.first, scope.count == 4 else {
            throw .invalidArgument("The credential's scope is malformed.")
        }
        let region = String(scope[scope.startIndex + 1])
        return ChunkedPayload.Seed(
            key: SigV4.signingKey(secret: secretAccessKey, date: String(date), region: region),
            timestamp: timestamp,
            scope: scope.joined(separator: "/"),
            signature: String(signature)
        )
    }

    private static func checksum(
        _ request: S3Request,
        hasTrailer: Bool
    ) throws(S3Error) -> (Checksum.Algorithm?, String?) {
        var found: [(Checksum.Algorithm, String?)] = []
        for algorithm in Checksum.Algorithm.allCases {
            if let value = request.header(algorithm.headerName) {
                found.append((algorithm, value))
            } else if hasTrailer, request.header("x-amz-trailer")?.lowercased() == algorithm.headerName {
                found.append((algorithm, nil))
            }
        }
        guard found.count <= 1 else {
            throw S3Error(
                .invalidRequest,
                status: 400,
                message: "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            )
        }
        return found.first ?? (nil, nil)
    }

    /// Streams the body into a new file and returns it once all of it arrived and is what was promised.
    func receive(_ disk: Disk) async throws -> (writer: ObjectWriter, etag: String, checksums: [String: String]) {
        let (checksum, hashesSHA256) = (self.checksum, self.sha256 != nil)
        let writer = try await disk.run { try $0.makeWriter(hashingSHA256: hashesSHA256, checksum: checksum) }
        return try await disk.discarding(writer) {
            var batch = WriteBatch(writer: writer, disk: disk, maximum: self.length)
            let trailers = try await self.read { buffer in try await batch.append(buffer) }
            try await batch.flush()
            guard batch.size == self.length else {
                throw S3Error.incompleteBody
            }
            let digests = try await disk.run { _ in writer.digests() }
            try self.check(digests, trailers)
            var checksums: [String: String] = [:]
            if let checksum, let value = digests.checksum {
                checksums[checksum.headerName] = value
            }
            return (writer, digests.md5, checksums)
        }
    }

    private func check(_ digests: ObjectWriter.Digests, _ trailers: [String: String]) throws(S3Error) {
        if let expected = self.sha256, digests.sha256 != expected {
            throw Self.hashMismatch
        }
        if let expected = self.md5, Data(base64Encoded: expected).map(SigV4.hexadecimal) != digests.md5 {
            throw S3Error(.badDigest, status: 400, message: "The Content-MD5 you specified did not match what we received.")
        }
        if let checksum = self.checksum {
            guard let expected = self.checksumValue ?? trailers[checksum.headerName], expected == digests.checksum else {
                throw S3Error(
                    .badDigest,
                    status: 400,
                    message: "The \(checksum.rawValue.uppercased()) you specified did not match the calculated checksum."
                )
            }
        }
    }

    private static var hashMismatch: S3Error {
        S3Error(
            S3Error.Code("XAmzContentSHA256Mismatch"),
            status: 400,
            message: "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    }

    /// Hands out the payload's bytes, and returns the trailers.
    private func read(_ body: (ByteBuffer) async throws -> Void) async throws -> [String: String] {
        var received: Int64 = 0
        var chunked = ChunkedPayload(seed: self.seed, hasTrailer: self.hasTrailer)
        for try await buffer in self.body.body {
            received += Int64(buffer.readableBytes)
            if self.isChunked {
                for decoded in try chunked.decode(buffer) {
                    try await body(decoded)
                }
            } else {
                try await body(buffer)
            }
        }
        // A connection that closes in the middle looks like the end of the body.
        guard received == self.wireLength, !self.isChunked || chunked.isFinished else {
            throw S3Error.incompleteBody
        }
        return chunked.trailers
    }

    /// A small body, whole, after the same checks.
    func collect(upTo limit: Int) async throws -> [UInt8] {
        guard self.length <= Int64(limit) else {
            throw S3Error(S3Error.Code("MaxMessageLengthExceeded"), status: 400, message: "Your request was too big.")
        }
        var bytes: [UInt8] = []
        _ = try await self.read { buffer in
            bytes += buffer.readableBytesView
            guard bytes.count <= limit else {
                throw S3Error.incompleteBody
            }
        }
        if let expected = self.sha256, SigV4.payloadHash(bytes) != expected {
            throw Self.hashMismatch
        }
        return bytes
    }
}

/// The store on the thread pool.
struct Disk: Sendable {
    let store: Store
    let pool = NIOThreadPool.singleton

    func run<Result: Sendable>(_ body: @escaping @Sendable (Store) throws -> Result) async throws -> Result {
        let store = self.store
        return try await self.pool.runIfActive { try body(store) }
    }

    /// Runs `body`, and removes the writer's file when it fails.
    func discarding<Result>(_ writer: ObjectWriter, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            try? await self.run { _ in writer.discard() }
            throw error
        }
    }
}

/// Collects what arrives, so that one hop to the thread pool writes half a megabyte instead of one packet.
struct WriteBatch {
    private static let target = 512 * 1024

    private let writer: ObjectWriter
    private let disk: Disk
    private let maximum: Int64
    private var buffers: [ByteBuffer] = []
    private var pending = 0
    private(set) var size: Int64 = 0

    init(writer: ObjectWriter, disk: Disk, maximum: Int64) {
        self.writer = writer
        self.disk = disk
        self.maximum = maximum
    }

    mutating func append(_ buffer: ByteBuffer) async throws {
        self.size += Int64(buffer.readableBytes)
        guard self.size <= self.maximum else {
            throw Payload.tooLarge
        }
        self.buffers.append(buffer)
        self.pending += buffer.readableBytes
        if self.pending >= Self.target {
            try await self.flush()
        }
    }

    mutating func flush() async throws {
        guard !self.buffers.isEmpty else {
            return
        }
        let (writer, buffers) = (self.writer, self.buffers)
        self.buffers = []
        self.pending = 0
        try await self.disk.run { _ in try writer.write(buffers) }
    }
}
