public import struct Foundation.Date
import S3

/// A file input as it is drawn: what the browser script needs to upload to S3, and the ticket that lets the form bring the keys back.
public struct UploadInput: Sendable {
    /// The field it was drawn for.
    public let field: UploadField
    /// Where the browser posts the bytes: the bucket's endpoint.
    public let url: String
    /// The presigned form fields, in order; `key` ends in `${filename}`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>
    public let fields: [(name: String, value: String)]
    /// When the presigned fields end; the script asks for fresh ones then. The ticket lives longer.
    public let expiresAt: Date
    /// The signed ticket.
    public let ticket: String
    /// When the ticket ends; the script exchanges it then, and uploads again what it had uploaded under it.
    public let ticketExpiresAt: Date
    /// The files that an earlier post of the form brought, and that need not be uploaded again.
    public let kept: [KeptFile]
    /// Names the list of ``kept`` files for those who cannot see where it stands.
    public var keptLabel = "Files already uploaded"
    /// Tells uploads in parts that can go on from those of other fields, and of other users of the same browser.
    let resumeScope: String
    /// Where the script asks for more; `nil` when it has nothing to ask with.
    let paths: UploadPaths?

    /// `<input type="file" …>` and, when files are kept, their list after it; escaped. The browser script takes it from there.
    ///
    /// - Parameter attributes: more attributes, such as `id`; a `class` is merged with `s3file`. The attributes that this type draws
    ///   itself cannot be replaced.
    public func html(attributes: [String: String] = [:]) -> String {
        self.elementHTML(attributes: attributes) + self.keptHTML(attributes: attributes)
    }

    /// The `<input>` alone, for a page that puts ``keptHTML(attributes:)`` elsewhere: a list may not stand inside a `<label>`.
    public func elementHTML(attributes: [String: String] = [:]) -> String {
        // Names of attributes are the same in any case, and the first of two counts.
        let others = Dictionary(attributes.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
        var drawn: [(String, String?)] = [
            ("type", "file"), ("name", self.field.name),
            ("class", [others["class"], "s3file"].compactMap(\.self).joined(separator: " ")),
        ]
        if !self.field.accept.isEmpty { drawn.append(("accept", self.field.acceptAttribute)) }
        if self.field.maximumCount > 1 { drawn.append(("multiple", nil)) }
        if self.field.required, self.kept.isEmpty { drawn.append(("required", nil)) }
        drawn.append(("data-url", self.url))
        drawn += self.fields.map { ("data-fields-\($0.name)", $0.value) }
        drawn.append(("data-s3f-signature", self.ticket))
        drawn.append(("data-s3f-max-size", String(self.field.maximumSize.bytes)))
        drawn.append(("data-s3f-max-count", String(self.field.maximumCount)))
        if self.field.required { drawn.append(("data-s3f-required", nil)) }
        if !self.field.options.isEmpty { drawn.append(("data-s3f-options", self.field.options.attribute)) }
        drawn.append(("data-s3f-expires", Timestamp.iso8601(self.expiresAt)))
        if let paths {
            drawn.append(("data-s3f-inputs", paths.inputs))
            drawn.append(("data-s3f-ends", Timestamp.iso8601(self.ticketExpiresAt)))
            if let resumable = self.field.resumable {
                drawn.append(("data-s3f-multipart", paths.multipart))
                drawn.append(("data-s3f-multipart-above", String(resumable.threshold.bytes)))
                drawn.append(("data-s3f-resume", self.resumeScope))
            }
        }
        let own = Set(drawn.map(\.0))
        drawn += others.filter { !own.contains($0.key) && Self.isAttributeName($0.key) }.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value)
        }
        let text = drawn.map { name, value in value.map { "\(name)=\"\(HTMLText.escaped($0))\"" } ?? name }
        return "<input " + text.joined(separator: " ") + ">"
    }

    /// The list of ``kept`` files, each with a ticked checkbox that brings it back with the form; empty when there are none.
    ///
    /// - Parameter attributes: those of the input: a `form` in it is that of the checkboxes, too.
    public func keptHTML(attributes: [String: String] = [:]) -> String {
        guard !self.kept.isEmpty else { return "" }
        let form = attributes.first { $0.key.lowercased() == "form" }.map { " form=\"\(HTMLText.escaped($0.value))\"" } ?? ""
        let name = HTMLText.escaped(self.field.name)
        var html = "<ul class=\"s3file-files s3file-kept\" aria-label=\"\(HTMLText.escaped(self.keptLabel))\">"
        for file in self.kept {
            html += "<li class=\"s3file-file\" data-state=\"uploaded\"><label>"
            html +=
                "<input type=\"checkbox\" name=\"\(name)-s3f-kept\" value=\"\(HTMLText.escaped(file.receipt))\"\(form) checked> "
            html += "<span class=\"s3file-name\" dir=\"auto\">\(HTMLText.escaped(file.filename))</span></label> "
            html += "<span class=\"s3file-size\">\(HTMLText.escaped("\(file.size)"))</span></li>"
        }
        return html + "</ul>"
    }

    private static func isAttributeName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"'>/=".utf8.contains($0) }
    }
}

/// A file that a form brought, was verified, and need not be uploaded again when the form comes back.
public struct KeptFile: Sendable, Hashable {
    /// The person's own name for it.
    public let filename: String
    /// How large it is.
    public let size: ByteCount
    /// Posted as `<field>-s3f-kept`, it stands for the file: signed, for this field and subject, and for a while.
    public let receipt: String
}
