/// The headers of one part.
package struct MultipartPart: Hashable, Sendable {
    /// The field's name.
    package var name: String
    /// The file's name as the browser sent it. An empty one is what a file input without a file posts.
    package var filename: String?
    /// The `Content-Type` of the part, as sent.
    package var contentType: String?

    package init(name: String, filename: String? = nil, contentType: String? = nil) {
        self.name = name
        self.filename = filename
        self.contentType = contentType
    }
}

/// What a multipart body may cost.
package struct MultipartLimits: Hashable, Sendable {
    /// Header bytes of one part.
    package var headerBytes: Int
    /// Number of parts.
    package var parts: Int
    /// Size of a part that is not a file.
    package var fieldBytes: Int
    /// Names of parts that are files even when they carry no file name, as S3's `file` field.
    package var fileFields: Set<String>

    package init(headerBytes: Int = 16_384, parts: Int = 1_000, fieldBytes: Int = 65_536, fileFields: Set<String> = []) {
        self.headerBytes = headerBytes
        self.parts = parts
        self.fieldBytes = fieldBytes
        self.fileFields = fileFields
    }
}

/// The boundary of a multipart body, known to be of the form that RFC 2046 section 5.1.1 allows.
package struct MultipartBoundary: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard (1...70).contains(bytes.count) else {
            throw MultipartError.malformed("The multipart boundary must have 1 to 70 characters.")
        }
        guard bytes.allSatisfy(Self.isBoundaryByte), bytes.last != UInt8(ascii: " ") else {
            throw MultipartError.malformed("The multipart boundary has a character that RFC 2046 does not allow.")
        }
        self.bytes = bytes
    }

    /// Reads the boundary parameter of a `multipart/form-data` content type.
    package init(contentType: String) throws {
        let header = try ParameterizedHeader(contentType, named: "Content-Type")
        guard header.value == "multipart/form-data" else {
            throw MultipartError.malformed("The body is not multipart/form-data.")
        }
        guard let boundary = header.parameters["boundary"] else {
            throw MultipartError.malformed("The Content-Type has no boundary.")
        }
        try self.init(boundary)
    }

    private static func isBoundaryByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            return true
        default:
            return "'()+_,-./:=? ".utf8.contains(byte)
        }
    }
}
