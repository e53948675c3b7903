/// An input as `UploadInput.html` draws it, read back from a page. Its attributes are escaped, so that no `>` is within one.
struct DrawnInput {
    var name: String
    var ticket: String
    var folder: String

    /// Names and receipts of the files that a page keeps, whose boxes are ticked.
    static func kept(in page: String) -> [(name: String, value: String)] {
        Self.elements(in: page).compactMap { attributes in
            guard let name = attributes["name"], name.hasSuffix("-s3f-kept"), let value = attributes["value"] else { return nil }
            return (name, value)
        }
    }

    static func all(in page: String) -> [DrawnInput] {
        Self.elements(in: page).compactMap { attributes in
            guard let name = attributes["name"], let ticket = attributes["data-s3f-signature"],
                let key = attributes["data-fields-key"]
            else { return nil }
            return DrawnInput(name: name, ticket: ticket, folder: key.split(separator: "/").dropLast().joined(separator: "/"))
        }
    }

    /// The attributes of each input.
    private static func elements(in page: String) -> [[String: String]] {
        var elements: [[String: String]] = []
        var rest = page[...]
        while let start = rest.firstRange(of: "<input ") {
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: ">") else { break }
            elements.append(Self.attributes(rest[..<end]))
            rest = rest[end...]
        }
        return elements
    }

    private static func attributes(_ text: Substring) -> [String: String] {
        var attributes: [String: String] = [:]
        for match in text.matches(of: /([^\s=]+)="([^"]*)"/) {
            attributes[String(match.1)] = Self.unescaped(match.2)
        }
        return attributes
    }

    private static func unescaped(_ text: Substring) -> String {
        var text = String(text)
        for (escaped, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            text = text.split(separator: escaped, omittingEmptySubsequences: false).joined(separator: character)
        }
        return text
    }
}
