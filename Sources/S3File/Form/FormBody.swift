public import NIOCore

/// The fields of a posted HTML form, in the order they were sent.
///
/// A name may occur more than once: `documents=a&documents=b` is two fields. Nothing is cleaned: what does not decode strictly is
/// an error, so that what is verified and what is used are the same bytes.
public struct FormBody: Sendable {
    /// What a form may cost to read.
    public struct Limits: Hashable, Sendable {
        /// Size of the whole body, files apart.
        public var bytes: Int
        /// Number of fields.
        public var fields: Int
        /// Size of a field's name.
        public var nameBytes: Int
        /// For how long nothing of it may come.
        public var silence: Duration
        /// How fast it must come on the whole, in bytes a second, after the first ``silence``. The time that S3 takes for files does not count.
        public var bytesPerSecond: Int
        /// As ``bytesPerSecond``, from when a form that brings its files itself has its place among those that do so at a time: a slow one
        /// holds up others.
        public var streamedBytesPerSecond: Int

        /// Limits; those that are not said are what a usual form needs. Sizes are in bytes.
        public init(
            bytes: Int = 2_097_152,
            fields: Int = 1_000,
            nameBytes: Int = 1_024,
            silence: Duration = .seconds(30),
            bytesPerSecond: Int = 1_024,
            streamedBytesPerSecond: Int = 64_000
        ) {
            self.bytes = bytes
            self.fields = fields
            self.nameBytes = nameBytes
            self.silence = silence
            self.bytesPerSecond = bytesPerSecond
            self.streamedBytesPerSecond = streamedBytesPerSecond
        }
    }

    /// A part with content that came as a file, instead of as the key of a file that S3 already has.
    public struct FilePart: Hashable, Sendable {
        /// The name of the field.
        public var name: String
        /// The name of the file, as the browser told it.
        public var filename: String
    }

    /// Names and values, in the order they were sent.
    public var fields: [(name: String, value: String)]
    /// The files that were in the body itself. Their bytes are not kept. The empty part of an untouched file input is not among them.
    public var fileParts: [FilePart]

    /// A form of these fields and files, as if it had been read.
    public init(fields: [(name: String, value: String)] = [], fileParts: [FilePart] = []) {
        self.fields = fields
        self.fileParts = fileParts
    }

    /// All values of a name, in the order they were sent.
    public func values(named name: String) -> [String] {
        self.fields.filter { $0.name == name }.map(\.value)
    }

    /// The first value of a name.
    public subscript(name: String) -> String? {
        self.fields.first { $0.name == name }?.value
    }

    /// Whether a body of this content type can be read as a form.
    public static func canParse(contentType: String) -> Bool {
        ContentKind(contentType) != nil
    }

    /// Reads `application/x-www-form-urlencoded` or `multipart/form-data`.
    /// - Parameters:
    ///   - body: The bytes as they came.
    ///   - contentType: The request's `Content-Type`.
    ///   - limits: What the form may cost.
    public static func parse(
        _ body: ByteBuffer,
        contentType: String,
        limits: Limits = Limits()
    ) throws(FormBodyError) -> FormBody {
        guard body.readableBytes <= limits.bytes else {
            throw .tooLarge("The form is larger than \(limits.bytes) bytes.")
        }
        switch ContentKind(contentType) {
        case .urlEncoded:
            return try Self.parseURLEncoded(body, limits: limits)
        case .multipart:
            return try Self.parseMultipart(body, contentType: contentType, limits: limits)
        case nil:
            throw FormBodyError(code: .unsupported, message: "The body is neither a URL encoded nor a multipart form.")
        }
    }

    // MARK: application/x-www-form-urlencoded

    /// Reads it as https://url.spec.whatwg.org/#urlencoded-parsing says, except that a bad escape and bad UTF-8 are errors.
    private static func parseURLEncoded(_ body: ByteBuffer, limits: Limits) throws(FormBodyError) -> FormBody {
        var form = FormBody()
        for pair in body.readableBytesView.split(separator: UInt8(ascii: "&")) {
            let separator = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try Self.decode(pair[..<separator])
            let value = try Self.decode(pair[separator...].dropFirst())
            try form.append(name, value, limits: limits)
        }
        return form
    }

    private static func decode(_ bytes: ByteBufferView) throws(FormBodyError) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case UInt8(ascii: "+"):
                decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard bytes.endIndex - index > 2, let high = Self.nibble(bytes[index + 1]),
                    let low = Self.nibble(bytes[index + 2])
                else {
                    throw .malformed("The form has a percent sign that is not followed by two hexadecimal digits.")
                }
                decoded.append(high << 4 | low)
                index += 2
            case let byte:
                decoded.append(byte)
            }
            index += 1
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw .malformed("The form is not UTF-8.")
        }
        return text
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    // MARK: multipart/form-data

    private static func parseMultipart(
        _ body: ByteBuffer,
        contentType: String,
        limits: Limits
    ) throws(FormBodyError) -> FormBody {
        do {
            var form = FormBody()
            var parser = MultipartParser(
                boundary: try MultipartBoundary(contentType: contentType),
                limits: MultipartLimits(parts: limits.fields, fieldBytes: limits.bytes)
            )
            parser.append(body)
            var part: MultipartPart?
            var value = ByteBuffer()
            while true {
                switch try parser.next() {
                case .part(let headers):
                    part = headers
                    value.clear()
                case .bytes(var bytes):
                    value.writeBuffer(&bytes)
                case .endOfPart:
                    if let part {
                        try form.append(part, value, limits: limits)
                    }
                case .finished:
                    return form
                case .needsBytes:
                    throw FormBodyError.malformed("The multipart form ends before its last boundary; send it again.")
                }
            }
        } catch let error as MultipartError {
            throw FormBodyError(error)
        } catch let error as FormBodyError {
            throw error
        } catch {
            throw .malformed("The multipart form cannot be read.")
        }
    }

    private mutating func append(_ part: MultipartPart, _ value: ByteBuffer, limits: Limits) throws(FormBodyError) {
        if let filename = part.filename {
            guard !filename.isEmpty || value.readableBytes > 0 else {
                return
            }
            self.fileParts.append(FilePart(name: part.name, filename: filename))
            return
        }
        guard let text = String(validating: value.readableBytesView, as: UTF8.self) else {
            throw .malformed("The form is not UTF-8.")
        }
        try self.append(part.name, text, limits: limits)
    }

    package mutating func append(_ name: String, _ value: String, limits: Limits) throws(FormBodyError) {
        guard self.fields.count < limits.fields else {
            throw .tooLarge("The form has more than \(limits.fields) fields.")
        }
        guard name.utf8.count <= limits.nameBytes else {
            throw .tooLarge("A field of the form has a name longer than \(limits.nameBytes) bytes.")
        }
        self.fields.append((name, value))
    }

    private enum ContentKind {
        case urlEncoded, multipart

        init?(_ contentType: String) {
            let essence = contentType.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
            switch essence {
            case "application/x-www-form-urlencoded": self = .urlEncoded
            case "multipart/form-data": self = .multipart
            default: return nil
            }
        }
    }
}

/// Why a form could not be read. The message may be shown to whoever sent it: it repeats none of it.
public struct FormBodyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public struct Code: Hashable, Sendable {
        private let name: String

        /// The body breaks the grammar of its content type, or is not UTF-8.
        public static let malformed = Code(name: "malformed")
        /// The body, the number of its fields or a name passes its limit.
        public static let tooLarge = Code(name: "tooLarge")
        /// The content type is not that of a form.
        public static let unsupported = Code(name: "unsupported")
    }

    /// What is wrong.
    public var code: Code
    /// A sentence.
    public var message: String

    /// The sentence.
    public var description: String { self.message }

    /// The HTTP status that answers it.
    public var status: Int {
        switch self.code {
        case .tooLarge: 413
        case .unsupported: 415
        default: 400
        }
    }

    /// An error with its sentence, which must repeat nothing of the body.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package init(_ error: MultipartError) {
        self.init(code: error.code == .tooLarge ? .tooLarge : .malformed, message: error.message)
    }

    static func malformed(_ message: String) -> Self {
        Self(code: .malformed, message: message)
    }

    static func tooLarge(_ message: String) -> Self {
        Self(code: .tooLarge, message: message)
    }
}
