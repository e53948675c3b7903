import Crypto
import NIOCore
import S3
import S3DevServer

extension FuzzedReader {
    /// However the bytes arrive, the same comes of them; and nothing is complete that nobody signed.
    ///
    /// The first byte says what kind of payload it is, and where the others are cut in two.
    static func checkChunked(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let kind = bytes.first else { return }
        let payload = bytes.dropFirst()
        let cut = payload.startIndex + Int(kind >> 1) * payload.count / 128
        let whole = Self.decoded([payload], seed: nil, hasTrailer: kind & 1 == 1)
        let pieces = Self.decoded([payload[..<cut], payload[cut...]], seed: nil, hasTrailer: kind & 1 == 1)
        try require(whole == pieces, "cut at \(cut - payload.startIndex) something else comes of it")
        if let whole {
            try require(whole.bytes.count <= payload.count, "\(whole.bytes.count) bytes came of \(payload.count)")
        }
        let seed = ChunkedPayload.Seed(
            key: SymmetricKey(size: .bits256),
            timestamp: "20260101T000000Z",
            scope: "20260101/us-east-1/s3/aws4_request",
            signature: "0"
        )
        let signed = Self.decoded([payload], seed: seed, hasTrailer: kind & 1 == 1)
        try require(signed?.isFinished != true, "a payload is complete that nobody signed")
    }

    private struct Decoded: Equatable {
        var bytes: [UInt8] = []
        var trailers: [String: String] = [:]
        var isFinished = false
    }

    /// Nil when it was refused.
    private static func decoded(_ pieces: [ArraySlice<UInt8>], seed: ChunkedPayload.Seed?, hasTrailer: Bool) -> Decoded? {
        var payload = ChunkedPayload(seed: seed, hasTrailer: hasTrailer)
        var decoded = Decoded()
        do {
            for piece in pieces {
                for buffer in try payload.decode(ByteBuffer(bytes: piece)) { decoded.bytes += buffer.readableBytesView }
            }
        } catch {
            return nil
        }
        decoded.trailers = payload.trailers
        decoded.isFinished = payload.isFinished
        return decoded
    }
}
