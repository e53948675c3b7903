import NIOCore
import S3File

/// A form that an app was posted and passes on, as a URL encoded body.
struct PostedForm: Sendable {
    static let contentType = "application/x-www-form-urlencoded"
    /// As many as ``FormBody/Limits`` lets through.
    static let mostPairs = 1_000

    let body: ByteBuffer

    /// A body as it came.
    init(urlEncoded body: String) {
        self.body = ByteBuffer(string: body)
    }

    /// Names and values in their order. <https://url.spec.whatwg.org/#urlencoded-serializing>
    init(_ pairs: [(name: String, value: String)]) {
        var body = ByteBuffer()
        for (index, pair) in pairs.enumerated() {
            if index > 0 { body.writeInteger(UInt8(ascii: "&")) }
            Self.write(pair.name, to: &body)
            body.writeInteger(UInt8(ascii: "="))
            Self.write(pair.value, to: &body)
        }
        self.body = body
    }

    /// What it says of one field alone: of a form with several, only one input is drawn at a time.
    ///
    /// - Throws: ``FormBodyError``.
    func only(_ field: UploadField) throws(FormBodyError) -> PostedForm {
        let form = try FormBody.parse(self.body, contentType: Self.contentType)
        let names = [field.name, "\(field.name)-s3f-signature", "\(field.name)-s3f-name", "\(field.name)-s3f-kept"]
        return PostedForm(form.fields.filter { names.contains($0.name) || ($0.name == "s3file" && $0.value == field.name) })
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func write(_ text: String, to body: inout ByteBuffer) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                body.writeInteger(byte)
            default: body.writeBytes([UInt8(ascii: "%"), Self.digits[Int(byte >> 4)], Self.digits[Int(byte & 15)]])
            }
        }
    }
}
