package import Crypto
package import NIOCore
package import S3

/// Undoes `Content-Encoding: aws-chunked`: chunks with their length, and for signed ones a signature each
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
package struct ChunkedPayload {
    /// What the signatures of chunks hang from: the request's own signature.
    package struct Seed {
        var key: SymmetricKey
        var timestamp: String
        var scope: String
        var signature: String

        package init(key: SymmetricKey, timestamp: String, scope: String, signature: String) {
            self.key = key
            self.timestamp = timestamp
            self.scope = scope
            self.signature = signature
        }
    }

    private enum State {
        case size
        case data(remaining: Int64)
        case dataEnd
        case trailer
        case finished
    }

    private static let maximumLine = 8192
    private static let malformed = S3Error(
        S3Error.Code("IncompleteBody"),
        status: 400,
        message: "The aws-chunked body is malformed."
    )

    private let seed: Seed?
    private let hasTrailer: Bool
    private var state = State.size
    private var pending = ByteBuffer()
    private var previousSignature: String
    private var chunkSignature: String?
    private var chunkHash = SHA256()
    private var isLastChunk = false
    private var trailerText = ""
    package private(set) var trailers: [String: String] = [:]

    package init(seed: Seed?, hasTrailer: Bool) {
        self.seed = seed
        self.hasTrailer = hasTrailer
        self.previousSignature = seed?.signature ?? ""
    }

    package var isFinished: Bool {
        if case .finished = self.state { true } else { false }
    }

    /// Takes bytes of the wire and gives the payload's.
    package mutating func decode(_ buffer: ByteBuffer) throws(S3Error) -> [ByteBuffer] {
        if self.pending.readableBytes == 0 {
            self.pending = buffer
        } else {
            self.pending.writeImmutableBuffer(buffer)
        }
        var decoded: [ByteBuffer] = []
        while true {
            switch self.state {
            case .size:
                guard let line = try self.readLine() else {
                    return decoded
                }
                try self.begin(line)
            case .data(let remaining):
                let length = Int(min(remaining, Int64(self.pending.readableBytes)))
                guard length > 0, let slice = self.pending.readSlice(length: length) else {
                    return decoded
                }
                if self.seed != nil {
                    slice.withUnsafeReadableBytes { self.chunkHash.update(bufferPointer: $0) }
                }
                decoded.append(slice)
                self.state = remaining == Int64(length) ? .dataEnd : .data(remaining: remaining - Int64(length))
            case .dataEnd:
                guard let line = try self.readLine() else {
                    return decoded
                }
                guard line.isEmpty else {
                    throw Self.malformed
                }
                try self.verifyChunk()
                self.state = .size
            case .trailer:
                guard let line = try self.readLine() else {
                    return decoded
                }
                try self.readTrailer(line)
            case .finished:
                guard self.pending.readableBytes == 0 else {
                    throw Self.malformed
                }
                return decoded
            }
        }
    }

    /// `1000;chunk-signature=…`
    private mutating func begin(_ line: String) throws(S3Error) {
        let halves = line.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard let digits = halves.first, (1...12).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ "0123456789abcdefABCDEF".utf8.contains($0) }), let size = Int64(digits, radix: 16)
        else {
            throw Self.malformed
        }
        self.chunkHash = SHA256()
        self.chunkSignature = nil
        if halves.count == 2, halves[1].hasPrefix("chunk-signature=") {
            self.chunkSignature = String(halves[1].dropFirst("chunk-signature=".count))
        }
        guard size == 0 else {
            self.state = .data(remaining: size)
            return
        }
        try self.verifyChunk()
        self.state = .trailer
    }

    private mutating func verifyChunk() throws(S3Error) {
        guard let seed = self.seed else {
            return
        }
        let stringToSign = """
            AWS4-HMAC-SHA256-PAYLOAD
            \(seed.timestamp)
            \(seed.scope)
            \(self.previousSignature)
            \(SigV4.payloadHash([]))
            \(SigV4.hexadecimal(self.chunkHash.finalize()))
            """
        try self.verify(self.chunkSignature, of: stringToSign, seed)
    }

    private mutating func verify(_ signature: String?, of stringToSign: String, _ seed: Seed) throws(S3Error) {
        let expected = SigV4.signature(of: stringToSign, key: seed.key)
        guard let signature, SigV4.constantTimeEquals(signature, expected) else {
            throw S3Error(
                .signatureDoesNotMatch,
                status: 403,
                message: "The signature of a chunk does not match the one we calculated."
            )
        }
        self.previousSignature = expected
    }

    private mutating func readTrailer(_ line: String) throws(S3Error) {
        if line.isEmpty {
            if let seed = self.seed, self.hasTrailer {
                let stringToSign = """
                    AWS4-HMAC-SHA256-TRAILER
                    \(seed.timestamp)
                    \(seed.scope)
                    \(self.previousSignature)
                    \(SigV4.payloadHash(Array(self.trailerText.utf8)))
                    """
                try self.verify(self.trailers["x-amz-trailer-signature"], of: stringToSign, seed)
            }
            self.state = .finished
            return
        }
        guard self.hasTrailer, let colon = line.firstIndex(of: ":"), self.trailers.count < 16 else {
            throw Self.malformed
        }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        guard self.trailers.updateValue(String(value), forKey: name) == nil else {
            throw Self.malformed
        }
        if name != "x-amz-trailer-signature" {
            self.trailerText += "\(name):\(value)\n"
        }
    }

    private mutating func readLine() throws(S3Error) -> String? {
        let view = self.pending.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= Self.maximumLine else {
                throw Self.malformed
            }
            return nil
        }
        let length = end - view.startIndex
        guard length <= Self.maximumLine, length >= 1, view[end - 1] == UInt8(ascii: "\r"),
            let line = String(validating: view[view.startIndex..<(end - 1)], as: UTF8.self)
        else {
            throw Self.malformed
        }
        self.pending.moveReaderIndex(forwardBy: length + 1)
        return line
    }
}
