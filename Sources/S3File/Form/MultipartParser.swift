package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The grammar of a `multipart/form-data` body: bytes in, events out, no waiting. ``MultipartReader`` drives it.
package struct MultipartParser {
    package enum Event {
        case needsBytes
        case part(MultipartPart)
        case bytes(ByteBuffer)
        case endOfPart
        case finished
    }

    private enum State {
        /// Before the first delimiter, which has no line end in front of it.
        case start
        /// Behind `--boundary`: `--`, or the end of the line.
        case delimiterEnd
        /// The lines that were searched for the empty one, so that slow senders cost no second search.
        case headers(searched: Int)
        case body(isFile: Bool, received: Int)
        case finished
    }

    private let limits: MultipartLimits
    /// CR LF `--boundary`.
    private let delimiter: [UInt8]
    private var state = State.start
    private var pending = ByteBuffer()
    private var partCount = 0

    package init(boundary: MultipartBoundary, limits: MultipartLimits) {
        self.limits = limits
        self.delimiter = Array("\r\n--".utf8) + boundary.bytes
    }

    package mutating func append(_ buffer: ByteBuffer) {
        if self.pending.readableBytes == 0 {
            self.pending = buffer
        } else {
            self.pending.writeImmutableBuffer(buffer)
        }
    }

    package mutating func next() throws -> Event {
        while true {
            switch self.state {
            case .start:
                guard try self.readFirstDelimiter() else {
                    return .needsBytes
                }
                self.state = .delimiterEnd
            case .delimiterEnd:
                switch try self.readDelimiterEnd() {
                case .incomplete: return .needsBytes
                case .line: self.state = .headers(searched: 0)
                case .close: self.state = .finished
                }
            case .headers(let searched):
                guard let part = try self.readHeaders(searched: searched) else {
                    return .needsBytes
                }
                self.state = .body(isFile: part.filename != nil || self.limits.fileFields.contains(part.name), received: 0)
                return .part(part)
            case .body(let isFile, let received):
                let (bytes, isEnd) = self.readBody()
                if let bytes {
                    let total = received + bytes.readableBytes
                    guard isFile || total <= self.limits.fieldBytes else {
                        throw MultipartError.tooLarge("A field of the form is longer than \(self.limits.fieldBytes) bytes.")
                    }
                    self.state = .body(isFile: isFile, received: total)
                    return .bytes(bytes)
                }
                guard isEnd else {
                    return .needsBytes
                }
                self.state = .delimiterEnd
                return .endOfPart
            case .finished:
                return .finished
            }
        }
    }

    // MARK: Delimiters

    private mutating func readFirstDelimiter() throws -> Bool {
        let expected = self.delimiter.dropFirst(2)
        let view = self.pending.readableBytesView
        guard view.elementsEqual(expected.prefix(view.count)) || view.starts(with: expected) else {
            throw MultipartError.malformed("The multipart body does not begin with its boundary.")
        }
        guard view.count >= expected.count else {
            return false
        }
        self.pending.moveReaderIndex(forwardBy: expected.count)
        return true
    }

    private enum DelimiterEnd {
        case incomplete, line, close
    }

    private mutating func readDelimiterEnd() throws -> DelimiterEnd {
        let malformed = MultipartError.malformed(
            "A boundary of the multipart body is followed by something else than a line end."
        )
        // RFC 2046 lets transports pad the line with blanks; nobody sends more than a few.
        let maximumPadding = 16
        let view = self.pending.readableBytesView
        let rest = view.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let padding = view.count - rest.count
        guard padding <= maximumPadding else {
            throw malformed
        }
        guard let first = rest.first else {
            return .incomplete
        }
        let second = rest.dropFirst().first
        switch (first, second) {
        case (UInt8(ascii: "\r"), UInt8(ascii: "\n")):
            self.pending.moveReaderIndex(forwardBy: padding + 2)
            return .line
        case (UInt8(ascii: "-"), UInt8(ascii: "-")) where padding == 0:
            self.pending.moveReaderIndex(forwardBy: 2)
            return .close
        case (UInt8(ascii: "\r"), nil), (UInt8(ascii: "-"), nil):
            return .incomplete
        default:
            throw malformed
        }
    }

    // MARK: Bytes of a part

    /// Either some bytes, or nil with the word whether the delimiter was reached and consumed.
    private mutating func readBody() -> (bytes: ByteBuffer?, isEnd: Bool) {
        let available = self.pending.readableBytes
        let (length, isComplete) = self.pending.withUnsafeReadableBytes { self.bytesBeforeDelimiter(in: $0) }
        if length > 0 {
            return (self.pending.readSlice(length: length), false)
        }
        if isComplete {
            self.pending.moveReaderIndex(forwardBy: self.delimiter.count)
            return (nil, true)
        }
        if available == 0 {
            self.pending = ByteBuffer()
        }
        return (nil, false)
    }

    /// How many bytes certainly belong to the part, and whether the whole delimiter follows them.
    private func bytesBeforeDelimiter(in bytes: UnsafeRawBufferPointer) -> (length: Int, isComplete: Bool) {
        guard let base = bytes.baseAddress else {
            return (0, false)
        }
        return self.delimiter.withUnsafeBytes { delimiter in
            guard let needle = delimiter.baseAddress else {
                return (bytes.count, false)
            }
            var offset = 0
            while offset < bytes.count, let found = memchr(base + offset, Int32(UInt8(ascii: "\r")), bytes.count - offset) {
                let position = UnsafeRawPointer(found) - base
                let comparable = min(delimiter.count, bytes.count - position)
                if memcmp(found, needle, comparable) == 0 {
                    return (position, comparable == delimiter.count)
                }
                offset = position + 1
            }
            return (bytes.count, false)
        }
    }

    // MARK: Headers of a part

    private mutating func readHeaders(searched: Int) throws -> MultipartPart? {
        let view = self.pending.readableBytesView
        let tooLarge = MultipartError.tooLarge("The headers of a part are longer than \(self.limits.headerBytes) bytes.")
        var line = view.startIndex + searched
        while let lineEnd = view[line...].firstIndex(of: UInt8(ascii: "\n")) {
            guard lineEnd - view.startIndex <= self.limits.headerBytes else {
                throw tooLarge
            }
            guard lineEnd == line + 1, view[line] == UInt8(ascii: "\r") else {
                line = lineEnd + 1
                continue
            }
            guard self.partCount < self.limits.parts else {
                throw MultipartError.tooLarge("The form has more than \(self.limits.parts) parts.")
            }
            self.partCount += 1
            let part = try MultipartPart(headerBlock: view[view.startIndex..<line])
            self.pending.moveReaderIndex(forwardBy: lineEnd + 1 - view.startIndex)
            return part
        }
        guard view.count <= self.limits.headerBytes else {
            throw tooLarge
        }
        self.state = .headers(searched: line - view.startIndex)
        return nil
    }
}

extension MultipartPart {
    /// Reads the header lines of a part, each with its CR LF.
    init(headerBlock: ByteBufferView) throws {
        let malformed = MultipartError.malformed("The headers of a part are malformed.")
        guard let text = String(validating: headerBlock, as: UTF8.self) else {
            throw MultipartError.malformed("The headers of a part are not UTF-8.")
        }
        var fields: [String: String] = [:]
        var scalars = text.unicodeScalars[...]
        while !scalars.isEmpty {
            guard let lineEnd = scalars.firstIndex(of: "\n") else {
                throw malformed
            }
            var line = scalars[scalars.startIndex..<lineEnd]
            scalars = scalars[scalars.index(after: lineEnd)...]
            guard line.popLast() == "\r", !line.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7F }),
                let colon = line.firstIndex(of: ":"), colon != line.startIndex
            else {
                throw malformed
            }
            let name = String(line[..<colon])
            guard name.utf8.allSatisfy(ParameterizedHeader.isTokenByte) else {
                throw malformed
            }
            var value = line[line.index(after: colon)...]
            while let first = value.first, first == " " || first == "\t" {
                value.removeFirst()
            }
            while let last = value.last, last == " " || last == "\t" {
                value.removeLast()
            }
            guard fields.updateValue(String(value), forKey: name.lowercased()) == nil else {
                throw MultipartError.malformed("A part repeats a header.")
            }
        }
        guard let disposition = fields["content-disposition"] else {
            throw MultipartError.malformed("A part has no Content-Disposition header.")
        }
        let header = try ParameterizedHeader(disposition, named: "Content-Disposition")
        guard header.value == "form-data", let name = header.parameters["name"] else {
            throw MultipartError.malformed("A part is not form-data with a name.")
        }
        guard header.parameters["filename*"] == nil, header.parameters["name*"] == nil else {
            throw MultipartError.malformed("A part uses filename*, which RFC 7578 forbids in forms; send filename as UTF-8.")
        }
        if let encoding = fields["content-transfer-encoding"]?.lowercased(), !["binary", "8bit", "7bit"].contains(encoding) {
            throw MultipartError.malformed(
                "A part has a Content-Transfer-Encoding, which RFC 7578 forbids; send its bytes as they are."
            )
        }
        self.init(
            name: ParameterizedHeader.decodingFormEscapes(name),
            filename: header.parameters["filename"].map(ParameterizedHeader.decodingFormEscapes),
            contentType: fields["content-type"]
        )
    }
}
