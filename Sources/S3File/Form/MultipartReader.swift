package import NIOCore

/// Reads a `multipart/form-data` body (RFC 7578) part by part while it arrives.
///
/// Memory is bounded by the chunks the body delivers: a part's bytes are handed out as they come, and are never collected here.
/// Whatever of a part is left unread is skipped by the next call of ``nextPart()``.
/// ```swift
/// var reader = MultipartReader(body: request.body, boundary: try MultipartBoundary(contentType: contentType))
/// while let part = try await reader.nextPart() {
///     while let bytes = try await reader.nextBytes() { … }
/// }
/// ```
package struct MultipartReader<Body: AsyncSequence> where Body.Element == ByteBuffer {
    private var parser: MultipartParser
    private var iterator: Body.AsyncIterator
    private var isInsidePart = false

    package init(body: Body, boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        self.parser = MultipartParser(boundary: boundary, limits: limits)
        self.iterator = body.makeAsyncIterator()
    }

    /// The headers of the next part, or nil after the closing delimiter. What follows that delimiter is not read.
    package mutating func nextPart() async throws -> MultipartPart? {
        while self.isInsidePart {
            _ = try await self.nextBytes()
        }
        while true {
            switch try self.parser.next() {
            case .needsBytes:
                try await self.feed()
            case .part(let part):
                self.isInsidePart = true
                return part
            case .finished:
                return nil
            case .bytes, .endOfPart:
                // The parser hands these out between a part's headers and its end only, and those are read above.
                throw MultipartError.malformed("The multipart body is out of order.")
            }
        }
    }

    /// The next bytes of the part whose headers were read last, or nil at its end. Never an empty buffer.
    package mutating func nextBytes() async throws -> ByteBuffer? {
        guard self.isInsidePart else {
            return nil
        }
        while true {
            switch try self.parser.next() {
            case .needsBytes:
                try await self.feed()
            case .bytes(let buffer):
                return buffer
            case .endOfPart, .finished, .part:
                self.isInsidePart = false
                return nil
            }
        }
    }

    /// All bytes of the current part, which must not be more than `limit`.
    package mutating func collectBytes(upTo limit: Int) async throws -> ByteBuffer {
        var collected = ByteBuffer()
        while var bytes = try await self.nextBytes() {
            guard collected.readableBytes + bytes.readableBytes <= limit else {
                throw MultipartError.tooLarge("A field of the form is longer than \(limit) bytes.")
            }
            collected.writeBuffer(&bytes)
        }
        return collected
    }

    /// The current part as text, which must be UTF-8 and not longer than `limit`.
    package mutating func collectText(upTo limit: Int) async throws -> String {
        let buffer = try await self.collectBytes(upTo: limit)
        guard let text = String(validating: buffer.readableBytesView, as: UTF8.self) else {
            throw MultipartError.malformed("A field of the form is not UTF-8.")
        }
        return text
    }

    private mutating func feed() async throws {
        guard let buffer = try await self.iterator.next(isolation: #isolation) else {
            throw MultipartError(
                code: .truncated,
                message: "The multipart body ended before its closing delimiter; send it again."
            )
        }
        self.parser.append(buffer)
    }
}
