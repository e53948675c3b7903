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
    /// The checksum that came or will come with the body, and its value when it came before.
    let checksum: (algorithm: Checksum.Algorithm, value: String?)?
    private let body: S3Request

    init(
        _ request: S3Request,
        _ verified: SigV4.Verified,
        secretAccessKey: String,
        checksumIsOfObject: Bool = false
    ) throws(S3Error) {
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
        self.checksum = checksumIsOfObject ? nil : try Self.checksum(request, hasTrailer: hasTrailer)
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
    ) throws(S3Error) -> (algorithm: Checksum.Algorithm, value: String?)? {
        var found: [(algorithm: Checksum.Algorithm, value: String?)] = []
        for (name, value) in request.headers where name.hasPrefix("x-amz-checksum-") {
            guard let algorithm = Checksum.Algorithm(headerName: name) else {
                guard !name.hasPrefix("x-amz-checksum-xxhash") else {
                    throw .notImplemented(name)
                }
                // x-amz-checksum-type, -algorithm and -mode are no checksums.
                continue
            }
            guard algorithm.isWellFormed(value) else {
                throw .invalidRequest("Value for \(name) header is invalid.")
            }
            found.append((algorithm, value))
        }
        if let trailer = request.header("x-amz-trailer")?.lowercased() {
            guard hasTrailer, let algorithm = Checksum.Algorithm(headerName: trailer) else {
                throw .invalidRequest("The value specified in the x-amz-trailer header is not supported")
            }
            found.append((algorithm, nil))
        }
        guard found.count <= 1 else {
            throw .invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        if let named = request.header("x-amz-sdk-checksum-algorithm") {
            guard let algorithm = found.first?.algorithm else {
                throw .invalidRequest(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
                )
            }
            guard algorithm.name == named.uppercased() else {
                throw .invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
            }
        }
        return found.first
    }

    /// Whether the body comes with a digest of itself, as some requests must.
    var isProtected: Bool { self.md5 != nil || self.checksum != nil }

    /// A body that has arrived.
    struct Received: Sendable {
        var writer: ObjectWriter
        /// Hexadecimal.
        var md5: String
        /// By header name.
        var checksums: [String: String]
    }

    /// Streams the body into a new file, and hands it to `body` on the disk's threads once all of it arrived and is what was promised.
    ///
    /// - Parameter checksums: those to compute; the client's own is always among them.
    func receive<Result: Sendable>(
        _ disk: Disk,
        checksums: [Checksum.Algorithm],
        _ body: @escaping @Sendable (Store, Received) throws -> Result
    ) async throws -> Result {
        let all = checksums + (self.checksum.map { checksums.contains($0.algorithm) ? [] : [$0.algorithm] } ?? [])
        var batch = WriteBatch(disk: disk, maximum: self.length, hashingSHA256: self.sha256 != nil, checksums: all)
        do {
            let trailers = try await self.read { buffer in try await batch.append(buffer) }
            guard batch.size == self.length else {
                throw S3Error.incompleteBody
            }
            return try await batch.finish { store, writer, digests in
                try self.check(digests, trailers)
                return try body(store, Received(writer: writer, md5: digests.md5, checksums: digests.checksums))
            }
        } catch {
            await batch.discard()
            throw error
        }
    }

    private func check(_ digests: ObjectWriter.Digests, _ trailers: [String: String]) throws(S3Error) {
        if let expected = self.sha256, digests.sha256 != expected {
            throw Self.hashMismatch
        }
        if let expected = self.md5, Data(base64Encoded: expected).map(SigV4.hexadecimal) != digests.md5 {
            throw .badDigest("Content-MD5")
        }
        if let (algorithm, value) = self.checksum {
            guard let expected = value ?? trailers[algorithm.headerName] else {
                throw S3Error(
                    S3Error.Code("MalformedTrailerError"),
                    status: 400,
                    message:
                        "The request contained trailing data that was not well-formed or did not conform to our published schema."
                )
            }
            guard algorithm.isWellFormed(expected) else {
                throw .invalidRequest("Value for \(algorithm.headerName) trailing header is invalid.")
            }
            guard expected == digests.checksums[algorithm.headerName] else {
                throw .badDigest(algorithm.name)
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
        let trailers = try await self.read { buffer in
            bytes += buffer.readableBytesView
            guard bytes.count <= limit else {
                throw S3Error.incompleteBody
            }
        }
        var checksums: [String: String] = [:]
        if let algorithm = self.checksum?.algorithm {
            var checksum = Checksum(algorithm)
            bytes.withUnsafeBytes { checksum.update($0) }
            checksums[algorithm.headerName] = checksum.base64
        }
        try self.check(
            ObjectWriter.Digests(
                md5: self.md5 == nil ? "" : SigV4.hexadecimal(Insecure.MD5.hash(data: bytes)),
                sha256: self.sha256 == nil ? nil : SigV4.payloadHash(bytes),
                checksums: checksums
            ),
            trailers
        )
        return bytes
    }
}
