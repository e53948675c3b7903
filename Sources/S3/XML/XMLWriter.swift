/// Writes XML in which every value is escaped.
package struct XMLWriter: Sendable {
    /// What has been written.
    package private(set) var text: String

    package init(declaration: Bool = true) {
        self.text = declaration ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" : ""
    }

    /// An element with content. Names are the caller's own, not input.
    package mutating func element(
        _ name: String,
        attributes: [(name: String, value: String)] = [],
        _ content: (inout XMLWriter) throws -> Void
    ) rethrows {
        self.text += "<\(name)"
        for attribute in attributes { self.text += " \(attribute.name)=\"\(Self.escape(attribute.value))\"" }
        self.text += ">"
        try content(&self)
        self.text += "</\(name)>"
    }

    /// An element as it was read: with all that is in it, known or not.
    package mutating func element(_ tree: XMLElement) {
        self.element(tree.name, attributes: tree.attributes.map { ($0.name, $0.value) }) { writer in
            if tree.children.isEmpty { writer.text += Self.escape(tree.text) }
            for child in tree.children { writer.element(child) }
        }
    }

    package mutating func element(_ name: String, text: String) {
        self.text += "<\(name)>\(Self.escape(text))</\(name)>"
    }

    /// Character data or an attribute's value.
    ///
    /// Control characters become character references, as S3 writes them. NUL has no form in XML: refuse it before.
    package static func escape(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&apos;"
            case "\u{0}"..<" ", "\u{7F}", "\u{FFFE}", "\u{FFFF}": escaped += "&#x\(String(scalar.value, radix: 16));"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
