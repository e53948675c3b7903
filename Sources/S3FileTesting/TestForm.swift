public import HTTPTypes
public import NIOCore
public import S3File

/// A form as a browser posts it: what a page's inputs drew, and what somebody filled in.
public struct TestForm: Sendable {
    /// What an input was drawn with.
    private struct Input: Sendable {
        var name: String
        var ticket: String
        var folder: String
    }

    private struct Attachment: Sendable {
        var name: String
        var filename: String
        var contentType: String
        var bytes: ByteBuffer
    }

    /// Two inputs of one name have each a ticket of its own.
    private var inputs: [Input] = []
    private var fields: [(name: String, value: String)] = []
    private var files: [(field: String, key: String, filename: String)] = []
    private var attachments: [Attachment] = []
    private var keyCount = 0

    /// A form without inputs.
    public init() {}

    /// With the inputs that are drawn in a page, and the files that it keeps.
    public init(page: String) {
        self.fields = DrawnInput.kept(in: page)
        self.inputs = DrawnInput.all(in: page).map { Input(name: $0.name, ticket: $0.ticket, folder: $0.folder) }
    }

    /// Adds an input that `Uploads.input` drew.
    public mutating func add(_ input: UploadInput) {
        self.inputs += DrawnInput.all(in: input.html()).map { Input(name: $0.name, ticket: $0.ticket, folder: $0.folder) }
    }

    /// The names of its inputs.
    public var inputNames: [String] { self.inputs.map(\.name) }

    /// Fills in a text field; twice is two fields.
    public mutating func set(_ name: String, _ value: String) {
        self.fields.append((name, value))
    }

    /// Puts a file into the form itself, as a browser without JavaScript does. The form is multipart then.
    public mutating func attach(
        _ filename: String,
        _ bytes: ByteBuffer,
        contentType: String = "application/octet-stream",
        to field: String
    ) {
        self.attachments.append(Attachment(name: field, filename: filename, contentType: contentType, bytes: bytes))
    }

    mutating func newKey(field: String) throws -> String {
        guard let input = self.inputs.first(where: { $0.name == field }) else {
            throw TestUploadsError(description: "The form has no input named \(field), only \(self.inputNames)")
        }
        self.keyCount += 1
        return "\(input.folder)/\(self.keyCount)"
    }

    mutating func add(field: String, key: String, filename: String) {
        self.files.append((field, key, filename))
    }

    // MARK: The request

    /// Names and values as they are posted.
    public var posted: [(name: String, value: String)] {
        var posted = self.fields
        for input in self.inputs {
            // Without the script nothing speaks for the input.
            guard !self.attachments.contains(where: { $0.name == input.name }) else { continue }
            posted += [("s3file", input.name), ("\(input.name)-s3f-signature", input.ticket)]
            for file in self.files where file.field == input.name && file.key.hasPrefix(input.folder + "/") {
                posted += [(input.name, file.key), ("\(input.name)-s3f-name", file.filename)]
            }
        }
        return posted
    }

    private static let boundary = "----TestFormBoundary7MA4YWxkTrZu0gW"

    /// `Content-Type`, as the form is posted: URL-encoded, or multipart once a file is attached.
    public var headers: HTTPFields {
        [
            .contentType: self.attachments.isEmpty
                ? "application/x-www-form-urlencoded" : "multipart/form-data; boundary=\(Self.boundary)"
        ]
    }

    /// The body that goes with ``headers``.
    public var body: ByteBuffer {
        self.attachments.isEmpty
            ? ByteBuffer(string: self.posted.map { Self.encoded($0.name) + "=" + Self.encoded($0.value) }.joined(separator: "&"))
            : self.multipart
    }

    private var multipart: ByteBuffer {
        var body = ByteBuffer()
        for (name, value) in self.posted {
            body.writeString(
                "--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(name))\"\r\n\r\n\(value)\r\n"
            )
        }
        for file in self.attachments {
            body.writeString("--\(Self.boundary)\r\nContent-Disposition: form-data; name=\"\(Self.quoted(file.name))\"; ")
            body.writeString("filename=\"\(Self.quoted(file.filename))\"\r\nContent-Type: \(file.contentType)\r\n\r\n")
            body.writeImmutableBuffer(file.bytes)
            body.writeString("\r\n")
        }
        body.writeString("--\(Self.boundary)--\r\n")
        return body
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                String(UnicodeScalar(byte))
            case UInt8(ascii: " "): "+"
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    private static func quoted(_ text: String) -> String {
        String(
            text.unicodeScalars.map { scalar in
                switch scalar {
                case "\"": "%22"
                case "\r": "%0D"
                case "\n": "%0A"
                default: String(scalar)
                }
            }.joined()
        )
    }
}
