/// A file input as it is drawn: what the browser script needs to upload to S3, and the ticket that lets the form bring the keys back.
public struct UploadInput: Sendable {
    /// The field it was drawn for.
    public let field: UploadField
    /// Where the browser posts the bytes: the bucket's endpoint.
    public let url: String
    /// The presigned form fields, in order; `key` ends in `${filename}`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>
    public let fields: [(name: String, value: String)]
    /// The signed ticket.
    public let ticket: String

    /// `<input type="file" …>`, escaped. The browser script takes it from there.
    ///
    /// - Parameter attributes: more attributes, such as `id`; a `class` is merged with `s3file`. The attributes that this type draws
    ///   itself cannot be replaced.
    public func html(attributes: [String: String] = [:]) -> String {
        var drawn: [(String, String?)] = [
            ("type", "file"), ("name", self.field.name),
            ("class", [attributes["class"], "s3file"].compactMap(\.self).joined(separator: " ")),
        ]
        if !self.field.accept.isEmpty { drawn.append(("accept", self.field.acceptAttribute)) }
        if self.field.maximumCount > 1 { drawn.append(("multiple", nil)) }
        if self.field.required { drawn.append(("required", nil)) }
        drawn.append(("data-url", self.url))
        drawn += self.fields.map { ("data-fields-\($0.name)", $0.value) }
        drawn.append(("data-s3f-signature", self.ticket))
        drawn.append(("data-s3f-max-size", String(self.field.maximumSize.bytes)))
        drawn.append(("data-s3f-max-count", String(self.field.maximumCount)))
        let own = Set(drawn.map(\.0))
        drawn += attributes.filter { !own.contains($0.key) && Self.isAttributeName($0.key) }.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value)
        }
        let text = drawn.map { name, value in value.map { "\(name)=\"\(HTMLText.escaped($0))\"" } ?? name }
        return "<input " + text.joined(separator: " ") + ">"
    }

    private static func isAttributeName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"'>/=".utf8.contains($0) }
    }
}
