/// A JSON text (RFC 8259) as it was written: each value knows where it stands, so that whoever finds it wrong can say where.
///
/// Stricter than most readers: an object names each member once, a text has no lone surrogate and no U+0000, which Postgres could not keep,
/// and a number is finite. What it may cost is bounded, however it nests.
package struct LocatedJSON: Sendable {
    /// Line and column from 1, the latter in characters as editors count them.
    package struct Place: Sendable, Equatable, CustomStringConvertible {
        package var line: Int
        package var column: Int

        package var description: String { "line \(self.line), column \(self.column)" }
    }

    package struct Member: Sendable {
        package var name: String
        package var place: Place
        package var value: LocatedJSON
    }

    package enum Value: Sendable {
        case null
        case bool(Bool)
        /// As it is spelled.
        case number(String)
        case text(String)
        case list([LocatedJSON])
        case object([Member])
    }

    /// What a text may cost to read.
    package struct Limits: Sendable {
        package var depth = 32
        /// Values in it, at all depths.
        package var values = 10_000

        package init() {}
    }

    package var value: Value
    package var place: Place
    /// As it stands in the text, byte for byte; shares the text's memory.
    package var source: ArraySlice<UInt8>

    /// - Throws: ``JSONFault`` at the first thing that is no JSON.
    package init(parsing bytes: some Collection<UInt8>, limits: Limits = Limits()) throws(JSONFault) {
        var parser = JSONParser(Array(bytes), limits: limits)
        self = try parser.document()
    }

    init(value: Value, place: Place, source: ArraySlice<UInt8>) {
        self.value = value
        self.place = place
        self.source = source
    }

    /// What it is, for a sentence.
    var kind: String {
        switch self.value {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .text: "a text"
        case .list: "a list"
        case .object: "an object"
        }
    }

    /// A whole number, also one that is spelled `1.0` or `1e3`; `nil` for anything else.
    package var integer: Int64? {
        guard case .number(let spelled) = self.value else { return nil }
        if let number = Int64(spelled) { return number }
        guard let number = Double(spelled), number.rounded() == number, abs(number) < 9_007_199_254_740_992 else { return nil }
        return Int64(number)
    }
}

/// Something that is wrong with a JSON text, and where.
package struct JSONFault: Error, Sendable, Equatable {
    package var place: LocatedJSON.Place
    /// What it is about, such as `fields[0].name`; empty for the whole text.
    package var path = ""
    /// A sentence's rest: what is wrong and what to write.
    package var message: String

    /// For a request, whose sender sees no file: `subject (line 1, column 12) must be …`.
    package var sentence: String {
        self.path.isEmpty ? "At \(self.place): \(self.message)." : "\(self.path) (\(self.place)): \(self.message)."
    }

    /// For a file, as compilers write it, so that editors find the place.
    func line(of file: String) -> String {
        "\(file):\(self.place.line):\(self.place.column): " + (self.path.isEmpty ? "" : self.path + ": ") + self.message
    }
}
