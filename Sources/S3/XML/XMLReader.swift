/// Reads the small XML documents of S3 into a tree: strict, bounded, and without the parts of XML that attackers use.
///
/// Document types (and with them every entity that is not one of XML's five or a character reference), processing instructions
/// and encodings other than UTF-8 are refused. Comments are skipped; namespace prefixes are dropped.
package struct XMLReader {
    package struct Limits: Sendable {
        package var bytes: Int
        package var depth: Int
        package var elements: Int

        package init(bytes: Int = 1 << 20, depth: Int = 16, elements: Int = 50_000) {
            self.bytes = bytes
            self.depth = depth
            self.elements = elements
        }
    }

    private static let maximumNameLength = 256
    private static let maximumAttributes = 32

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0
    private var elements = 0

    /// The root element of `document`.
    package static func read(_ document: some Sequence<UInt8>, limits: Limits = Limits()) throws(XMLError) -> XMLElement {
        var reader = XMLReader(bytes: Array(document), limits: limits)
        return try reader.document()
    }

    package static func read(_ document: String, limits: Limits = Limits()) throws(XMLError) -> XMLElement {
        try self.read(document.utf8, limits: limits)
    }

    private init(bytes: [UInt8], limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    private mutating func document() throws(XMLError) -> XMLElement {
        guard self.bytes.count <= self.limits.bytes else {
            throw self.error(.tooLarge, "The document is larger than \(self.limits.bytes) bytes")
        }
        guard String(validating: self.bytes, as: UTF8.self) != nil else {
            throw self.error(.malformed, "The document is not UTF-8")
        }
        if self.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.position = 3 }
        if self.take("<?xml") { try self.declaration() }
        try self.skipBlanksAndComments()
        guard self.take("<") else { throw self.error(.malformed, "Expected an element") }
        let root = try self.tree()
        try self.skipBlanksAndComments()
        guard self.position == self.bytes.count else { throw self.error(.malformed, "Expected the end after the root element") }
        return root
    }

    /// After `<?xml`, through `?>`. <https://www.w3.org/TR/xml/#sec-prolog-dtd>
    private mutating func declaration() throws(XMLError) {
        guard self.position < self.bytes.count, self.isBlank(self.bytes[self.position]) else {
            throw self.error(.forbidden, "Processing instructions are not accepted")
        }
        let attributes = try self.attributes()
        guard self.take("?>") else { throw self.error(.malformed, "The XML declaration does not end") }
        for attribute in attributes {
            switch attribute.name {
            case "version", "standalone": continue
            case "encoding":
                guard attribute.value.lowercased() == "utf-8" else { throw self.error(.forbidden, "Only UTF-8 is accepted") }
            default: throw self.error(.malformed, "The XML declaration has no such part")
            }
        }
    }

    private mutating func skipBlanksAndComments() throws(XMLError) {
        while self.position < self.bytes.count {
            if self.isBlank(self.bytes[self.position]) {
                self.position += 1
            } else if self.take("<!--") {
                try self.comment()
            } else {
                return
            }
        }
    }

    /// From after the root's `<` to its end tag, without recursion, so that depth costs no stack.
    private mutating func tree() throws(XMLError) -> XMLElement {
        var open: [(name: ArraySlice<UInt8>, element: XMLElement, text: [UInt8])] = []
        while true {
            // Here a `<` has been taken, and it is a start tag.
            let (name, attributes, isEmpty) = try self.startTag()
            self.elements += 1
            guard self.elements <= self.limits.elements else {
                throw self.error(.tooLarge, "The document has more than \(self.limits.elements) elements")
            }
            guard open.count < self.limits.depth else {
                throw self.error(.tooLarge, "The document is nested deeper than \(self.limits.depth) elements")
            }
            var element = XMLElement(name: try self.localName(name), attributes: attributes)
            if !isEmpty {
                open.append((name, element, []))
            } else if open.isEmpty {
                return element
            } else {
                open[open.count - 1].element.children.append(element)
            }
            // Content, up to the next start tag.
            content: while true {
                self.plainText(into: &open[open.count - 1].text)
                guard self.position < self.bytes.count else { throw self.error(.malformed, "The document is cut off") }
                if self.take("</") {
                    let end = try self.name()
                    self.skipBlanks()
                    guard self.take(">"), end == open[open.count - 1].name else {
                        throw self.error(.malformed, "The end tag does not match")
                    }
                    let closed = open.removeLast()
                    element = closed.element
                    element.text = String(decoding: closed.text, as: UTF8.self)
                    guard !open.isEmpty else { return element }
                    open[open.count - 1].element.children.append(element)
                } else if self.take("<!--") {
                    try self.comment()
                } else if self.take("<![CDATA[") {
                    while !self.take("]]>") {
                        try self.character(into: &open[open.count - 1].text)
                    }
                } else if self.peek("<?") || self.peek("<!") {
                    throw self.error(.forbidden, "Document types and processing instructions are not accepted")
                } else if self.take("<") {
                    break content
                } else if self.take("&") {
                    try self.reference(into: &open[open.count - 1].text)
                } else if self.peek("]]>") {
                    throw self.error(.malformed, "A CDATA section ends that did not start")
                } else {
                    try self.character(into: &open[open.count - 1].text)
                }
            }
        }
    }

    /// After `<`, through `>` or `/>`.
    private mutating func startTag() throws(XMLError) -> (ArraySlice<UInt8>, [XMLElement.Attribute], isEmpty: Bool) {
        if self.peek("!") || self.peek("?") {
            throw self.error(.forbidden, "Document types and processing instructions are not accepted")
        }
        let name = try self.name()
        let attributes = try self.attributes()
        if self.take(">") { return (name, attributes, false) }
        guard self.take("/>") else { throw self.error(.malformed, "Expected the end of the tag, or a blank and an attribute") }
        return (name, attributes, true)
    }

    /// Up to what is none any more.
    private mutating func attributes() throws(XMLError) -> [XMLElement.Attribute] {
        var attributes: [XMLElement.Attribute] = []
        while true {
            let blanks = self.skipBlanks()
            if blanks == 0 || self.peek(">") || self.peek("/>") || self.peek("?>") { return attributes }
            let attribute = String(decoding: try self.name(), as: UTF8.self)
            self.skipBlanks()
            guard self.take("=") else { throw self.error(.malformed, "Expected a value for the attribute") }
            self.skipBlanks()
            let quote: String
            if self.take("\"") {
                quote = "\""
            } else if self.take("'") {
                quote = "'"
            } else {
                throw self.error(.malformed, "Expected a quoted value")
            }
            var value: [UInt8] = []
            while !self.take(quote) {
                if self.take("&") {
                    try self.reference(into: &value)
                } else if self.peek("<") {
                    throw self.error(.malformed, "A value may not hold <")
                } else {
                    try self.character(into: &value)
                }
            }
            guard !attributes.contains(where: { $0.name == attribute }) else {
                throw self.error(.malformed, "An attribute is repeated")
            }
            guard attributes.count < Self.maximumAttributes else {
                throw self.error(.tooLarge, "An element has more than \(Self.maximumAttributes) attributes")
            }
            attributes.append(XMLElement.Attribute(name: attribute, value: String(decoding: value, as: UTF8.self)))
        }
    }

    private mutating func name() throws(XMLError) -> ArraySlice<UInt8> {
        let start = self.position
        scan: while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), 0x80...:
                break
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                guard self.position > start else { throw self.error(.malformed, "Expected a name") }
            default:
                break scan
            }
            self.position += 1
        }
        guard self.position > start else { throw self.error(.malformed, "Expected a name") }
        guard self.position - start <= Self.maximumNameLength else { throw self.error(.tooLarge, "A name is too long") }
        return self.bytes[start..<self.position]
    }

    /// After `&`. S3 writes control characters in keys as numbers, though XML 1.0 has none; all but NUL are accepted so.
    private mutating func reference(into text: inout [UInt8]) throws(XMLError) {
        guard
            let end = self.bytes[self.position...].prefix(12).firstIndex(of: UInt8(ascii: ";"))
        else { throw self.error(.malformed, "A reference does not end") }
        let reference = String(decoding: self.bytes[self.position..<end], as: UTF8.self)
        let scalar: Unicode.Scalar?
        switch reference {
        case "amp": scalar = "&"
        case "lt": scalar = "<"
        case "gt": scalar = ">"
        case "quot": scalar = "\""
        case "apos": scalar = "'"
        default:
            guard reference.hasPrefix("#") else { throw self.error(.forbidden, "Only XML's own five entities are accepted") }
            let isHexadecimal = reference.hasPrefix("#x")
            let digits = reference.dropFirst(isHexadecimal ? 2 : 1)
            // The integer parser would take a sign.
            guard let first = digits.first, first.isHexDigit else {
                throw self.error(.malformed, "A character reference is not a number")
            }
            scalar = UInt32(digits, radix: isHexadecimal ? 16 : 10).flatMap { $0 == 0 ? nil : Unicode.Scalar($0) }
        }
        guard let scalar else { throw self.error(.malformed, "A character reference is not a character") }
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
        self.position = end + 1
    }

    /// One byte of character data; line ends become a line feed, as XML says.
    private mutating func character(into text: inout [UInt8]) throws(XMLError) {
        guard self.position < self.bytes.count else { throw self.error(.malformed, "The document is cut off") }
        let byte = self.bytes[self.position]
        switch byte {
        case UInt8(ascii: "\r"):
            if self.position + 1 >= self.bytes.count || self.bytes[self.position + 1] != UInt8(ascii: "\n") {
                text.append(UInt8(ascii: "\n"))
            }
        case UInt8(ascii: "\n"), UInt8(ascii: "\t"), 0x20...:
            text.append(byte)
        default:
            throw self.error(.malformed, "A control character is not escaped")
        }
        self.position += 1
    }

    /// A run of character data that needs no second look: most of every document.
    private mutating func plainText(into text: inout [UInt8]) {
        var end = self.position
        scan: while end < self.bytes.count {
            switch self.bytes[end] {
            case UInt8(ascii: "<"), UInt8(ascii: "&"), UInt8(ascii: "]"): break scan
            case 0x20..., UInt8(ascii: "\n"), UInt8(ascii: "\t"): end += 1
            default: break scan
            }
        }
        text.append(contentsOf: self.bytes[self.position..<end])
        self.position = end
    }

    /// After `<!--`.
    private mutating func comment() throws(XMLError) {
        while !self.take("-->") {
            guard self.position < self.bytes.count else { throw self.error(.malformed, "A comment does not end") }
            guard !self.peek("--") else { throw self.error(.malformed, "A comment may not hold --") }
            self.position += 1
        }
    }

    @discardableResult
    private mutating func skipBlanks() -> Int {
        let start = self.position
        while self.position < self.bytes.count, self.isBlank(self.bytes[self.position]) { self.position += 1 }
        return self.position - start
    }

    private func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private func peek(_ token: String) -> Bool {
        let token = token.utf8
        guard self.position + token.count <= self.bytes.count else { return false }
        var position = self.position
        for byte in token {
            guard self.bytes[position] == byte else { return false }
            position += 1
        }
        return true
    }

    private mutating func take(_ token: String) -> Bool {
        guard self.peek(token) else { return false }
        self.position += token.utf8.count
        return true
    }

    /// Behind the prefix, which is not looked at. What is left must be a name by itself.
    private func localName(_ name: ArraySlice<UInt8>) throws(XMLError) -> String {
        guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else { return String(decoding: name, as: UTF8.self) }
        let local = name[name.index(after: colon)...]
        guard let first = local.first, !"0123456789-.".utf8.contains(first) else {
            throw self.error(.malformed, "Expected a name after the prefix")
        }
        guard colon > name.startIndex, !local.contains(UInt8(ascii: ":")) else {
            throw self.error(.malformed, "A name has one prefix at most")
        }
        return String(decoding: local, as: UTF8.self)
    }

    private func error(_ code: XMLError.Code, _ message: String) -> XMLError {
        XMLError(code: code, message: message, offset: self.position)
    }
}
