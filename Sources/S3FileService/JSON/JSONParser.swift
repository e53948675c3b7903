/// Reads one JSON text. <https://www.rfc-editor.org/rfc/rfc8259>
struct JSONParser {
    private let bytes: [UInt8]
    private let limits: LocatedJSON.Limits
    private var index = 0
    private var line = 1
    /// Characters of the line before `counted`: each byte is counted once, however many places are asked for on one line.
    private var column = 0
    private var counted = 0
    private var values = 0

    init(_ bytes: [UInt8], limits: LocatedJSON.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// The one value of a text, and nothing after it.
    mutating func document() throws(JSONFault) -> LocatedJSON {
        guard String(validating: self.bytes, as: UTF8.self) != nil else {
            throw JSONFault(place: .init(line: 1, column: 1), message: "the text is not UTF-8")
        }
        let value = try self.value(depth: 0)
        self.skipSpace()
        guard self.index == self.bytes.count else { throw self.fault("there is something after the end") }
        return value
    }

    // MARK: Values

    private mutating func value(depth: Int) throws(JSONFault) -> LocatedJSON {
        self.skipSpace()
        let (start, place) = (self.index, self.place())
        self.values += 1
        guard self.values <= self.limits.values else { throw self.fault("the text has more than \(self.limits.values) values") }
        let value: LocatedJSON.Value
        switch self.peek {
        case UInt8(ascii: "{"):
            guard depth < self.limits.depth else { throw self.fault("it is nested more than \(self.limits.depth) deep") }
            value = .object(try self.members(depth: depth + 1))
        case UInt8(ascii: "["):
            guard depth < self.limits.depth else { throw self.fault("it is nested more than \(self.limits.depth) deep") }
            value = .list(try self.elements(depth: depth + 1))
        case UInt8(ascii: "\""): value = .text(try self.text())
        case UInt8(ascii: "t"): value = try self.word("true", .bool(true))
        case UInt8(ascii: "f"): value = try self.word("false", .bool(false))
        case UInt8(ascii: "n"): value = try self.word("null", .null)
        case nil: throw self.fault("the text ends where a value is expected")
        case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte): value = .number(try self.number())
        default: throw self.fault("a value is expected here")
        }
        return LocatedJSON(value: value, place: place, source: self.bytes[start..<self.index])
    }

    private mutating func members(depth: Int) throws(JSONFault) -> [LocatedJSON.Member] {
        self.index += 1
        var members: [LocatedJSON.Member] = []
        var names: Set<[UInt8]> = []
        self.skipSpace()
        if self.take("}") { return members }
        while true {
            self.skipSpace()
            let place = self.place()
            guard self.peek == UInt8(ascii: "\"") else { throw self.fault("a member's name in quotation marks is expected here") }
            let name = try self.text()
            // By bytes: two spellings of a letter are two names.
            guard names.insert(Array(name.utf8)).inserted else {
                throw JSONFault(place: place, message: "\"\(Self.shortened(name))\" is there twice")
            }
            self.skipSpace()
            guard self.take(":") else { throw self.fault("a colon is expected here") }
            members.append(.init(name: name, place: place, value: try self.value(depth: depth)))
            self.skipSpace()
            if self.take("}") { return members }
            guard self.take(",") else { throw self.fault("a comma or } is expected here") }
        }
    }

    private mutating func elements(depth: Int) throws(JSONFault) -> [LocatedJSON] {
        self.index += 1
        var elements: [LocatedJSON] = []
        self.skipSpace()
        if self.take("]") { return elements }
        while true {
            elements.append(try self.value(depth: depth))
            self.skipSpace()
            if self.take("]") { return elements }
            guard self.take(",") else { throw self.fault("a comma or ] is expected here") }
        }
    }

    private mutating func word(_ word: StaticString, _ value: LocatedJSON.Value) throws(JSONFault) -> LocatedJSON.Value {
        let expected = word.withUTF8Buffer { Array($0) }
        guard self.bytes[self.index...].starts(with: expected) else { throw self.fault("a value is expected here") }
        self.index += expected.count
        return value
    }

    private mutating func number() throws(JSONFault) -> String {
        let start = self.index
        _ = self.take("-")
        // No zero before other digits.
        if !self.take("0") {
            guard self.skipDigits() else { throw self.fault("a digit is expected here") }
        }
        if self.take(".") {
            guard self.skipDigits() else { throw self.fault("a digit is expected here") }
        }
        if self.take("e") || self.take("E") {
            if !self.take("+") { _ = self.take("-") }
            guard self.skipDigits() else { throw self.fault("a digit is expected here") }
        }
        let spelled = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        guard spelled.utf8.count <= 64, Double(spelled)?.isFinite == true else {
            throw self.fault("the number is too long or too large")
        }
        return spelled
    }

    // MARK: Texts

    private mutating func text() throws(JSONFault) -> String {
        self.index += 1
        var text: [UInt8] = []
        while let byte = self.peek {
            switch byte {
            case UInt8(ascii: "\""):
                self.index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += try self.escape()
            case ..<0x20: throw self.fault("a control character must be escaped in a text")
            default:
                text.append(byte)
                self.index += 1
            }
        }
        throw self.fault("the text ends before a closing quotation mark")
    }

    private mutating func escape() throws(JSONFault) -> [UInt8] {
        let place = self.place()
        self.index += 1
        defer { self.index += 1 }
        switch self.peek {
        case UInt8(ascii: "\""): return [UInt8(ascii: "\"")]
        case UInt8(ascii: "\\"): return [UInt8(ascii: "\\")]
        case UInt8(ascii: "/"): return [UInt8(ascii: "/")]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = UInt32(try self.unit(place))
            if (0xD800..<0xDC00).contains(code),
                self.bytes[(self.index + 1)...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")])
            {
                self.index += 2
                let low = UInt32(try self.unit(place))
                guard (0xDC00..<0xE000).contains(low) else {
                    throw JSONFault(place: place, message: "half of a surrogate pair is missing")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw JSONFault(place: place, message: "half of a surrogate pair is missing")
            }
            guard code != 0 else { throw JSONFault(place: place, message: "U+0000 cannot be kept") }
            return Array(String(Character(scalar)).utf8)
        default: throw JSONFault(place: place, message: "there is no such escape")
        }
    }

    /// Four hexadecimal digits; stands on the last of them afterwards.
    private mutating func unit(_ place: LocatedJSON.Place) throws(JSONFault) -> UInt16 {
        let digits = self.bytes[(self.index + 1)...].prefix(4)
        guard digits.count == 4, digits.allSatisfy(Self.isHexadecimal),
            let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw JSONFault(place: place, message: "four hexadecimal digits are expected after \\u") }
        self.index += 4
        return unit
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    static func shortened(_ name: String) -> String { name.utf8.count > 64 ? String(name.prefix(32)) + "…" : name }

    // MARK: Bytes

    private var peek: UInt8? { self.index < self.bytes.count ? self.bytes[self.index] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard self.peek == UInt8(ascii: character) else { return false }
        self.index += 1
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = self.index
        while let byte = self.peek, Self.isDigit(byte) { self.index += 1 }
        return self.index > start
    }

    private mutating func skipSpace() {
        while let byte = self.peek {
            switch byte {
            case 0x20, 0x09, 0x0D: self.index += 1
            case 0x0A:
                self.index += 1
                self.line += 1
                (self.column, self.counted) = (0, self.index)
            default: return
            }
        }
    }

    private mutating func place() -> LocatedJSON.Place {
        // Bytes that begin a character.
        self.column += self.bytes[self.counted..<self.index].count { $0 & 0xC0 != 0x80 }
        self.counted = self.index
        return .init(line: self.line, column: self.column + 1)
    }

    private mutating func fault(_ message: String) -> JSONFault { JSONFault(place: self.place(), message: message) }
}
