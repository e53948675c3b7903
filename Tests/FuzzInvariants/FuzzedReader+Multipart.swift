import NIOCore
import S3File

extension FuzzedReader {
    private struct Part: Hashable {
        var headers: MultipartPart
        var bytes: [UInt8] = []
    }

    /// Nil where the body is refused, or is not all there.
    private typealias Outcome = [Part]?

    /// However a body is cut into pieces it reads the same; and cut off it is refused, or was complete before the cut.
    static func checkMultipart(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let first = bytes.first, let boundary = try? MultipartBoundary("xYz") else { return }
        // The first byte chooses the size of the pieces.
        let body = Array(bytes.dropFirst())
        let whole = self.read(body[...], piece: Int.max, boundary)
        let pieces = self.read(body[...], piece: Int(first % 61) + 1, boundary)
        try require(whole == pieces, "a body in pieces of \(first % 61 + 1) reads as another")
        let step = max(1, body.count / 400)
        for end in stride(from: 0, to: body.count, by: step) {
            guard let cut = self.read(body[..<end], piece: Int.max, boundary) else { continue }
            try require(cut == whole, "a body cut off at \(end) reads as another")
        }
    }

    private static func read(_ body: ArraySlice<UInt8>, piece: Int, _ boundary: MultipartBoundary) -> Outcome {
        var parser = MultipartParser(
            boundary: boundary,
            limits: MultipartLimits(headerBytes: 512, parts: 12, fieldBytes: 256, fileFields: ["file"])
        )
        var rest = body
        var parts: [Part] = []
        do {
            while true {
                switch try parser.next() {
                case .part(let headers): parts.append(Part(headers: headers))
                case .bytes(let bytes): parts[parts.count - 1].bytes += Array(buffer: bytes)
                case .endOfPart: break
                case .finished: return parts
                case .needsBytes:
                    guard !rest.isEmpty else { return nil }
                    parser.append(ByteBuffer(bytes: rest.prefix(piece)))
                    rest = rest.dropFirst(piece)
                }
            }
        } catch {
            return nil
        }
    }
}
