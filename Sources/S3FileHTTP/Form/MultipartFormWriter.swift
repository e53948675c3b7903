import NIOCore
import S3File

/// Writes a `multipart/form-data` body as browsers do.
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>
struct MultipartFormWriter {
    private let boundary: MultipartBoundary
    private var body = ByteBuffer()

    /// - Parameter boundary: occurs in no value; that is certain of values that were read by it.
    init(boundary: MultipartBoundary) {
        self.boundary = boundary
    }

    mutating func add(_ part: MultipartPart, _ value: String) {
        self.writeDelimiter()
        self.body.writeString("\r\nContent-Disposition: form-data; name=\"\(Self.escaped(part.name))\"")
        if let filename = part.filename { self.body.writeString("; filename=\"\(Self.escaped(filename))\"") }
        if let type = part.contentType { self.body.writeString("\r\nContent-Type: \(type)") }
        self.body.writeString("\r\n\r\n\(value)\r\n")
    }

    consuming func finished() -> ByteBuffer {
        self.writeDelimiter()
        self.body.writeString("--\r\n")
        return self.body
    }

    private mutating func writeDelimiter() {
        self.body.writeString("--")
        self.body.writeBytes(self.boundary.bytes)
    }

    private static func escaped(_ name: String) -> String {
        var escaped = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\"": escaped += "%22"
            case "\r": escaped += "%0D"
            case "\n": escaped += "%0A"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
