/// A value that can be a parameter, in the binary format of `postgresType`.
package protocol PostgresEncodable: Sendable {
    static var postgresType: PostgresType { get }
    /// Appends the value; throws `.invalidParameter` with a sentence that does not hold the value.
    func encode(into bytes: inout [UInt8]) throws(PostgresError)
}

/// A value that can be read from a column.
package protocol PostgresDecodable: Sendable {
    static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self
}

/// What may stand in an array; `[UInt8]` has its own idea of that and is a bytea.
package protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encode(array: [Self], into bytes: inout [UInt8]) throws(PostgresError)
    static func decode(array cell: PostgresCell) throws(PostgresError) -> [Self]
}

/// A single value that goes both ways, and into arrays.
package protocol PostgresScalar: PostgresEncodable, PostgresDecodable, PostgresArrayElement {}

/// One value as the server sent it, and what to call it when it is not what was asked for.
package struct PostgresCell: Sendable {
    package var bytes: ArraySlice<UInt8>?
    package var type: PostgresType
    package var column: String

    package init(bytes: ArraySlice<UInt8>?, type: PostgresType, column: String) {
        self.bytes = bytes
        self.type = type
        self.column = column
    }

    func required<Value>(for type: Value.Type) throws(PostgresError) -> ArraySlice<UInt8> {
        guard let bytes = self.bytes else {
            throw self.error("Column \"\(self.column)\" is NULL where \(type) was asked for: ask for \(type)?.")
        }
        return bytes
    }

    func mismatch<Value>(_ type: Value.Type) -> PostgresError {
        self.error(
            "Column \"\(self.column)\" is \(self.type), which \(type) cannot hold: cast it in SQL or ask for another type."
        )
    }

    func malformed<Value>(_ type: Value.Type) -> PostgresError {
        self.error("Column \"\(self.column)\" (\(self.type)) does not hold a valid \(type).")
    }

    private func error(_ message: String) -> PostgresError {
        var error = PostgresError(.decoding, message)
        error.columnName = self.column
        return error
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Wrapped? {
        cell.bytes == nil ? nil : try Wrapped.decode(cell)
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.postgresArrayType }

    package func encode(into bytes: inout [UInt8]) throws(PostgresError) {
        try Element.encode(array: self, into: &bytes)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> [Element] {
        try Element.decode(array: cell)
    }
}

// MARK: Big-endian integers

extension [UInt8] {
    mutating func append<Integer: FixedWidthInteger>(bigEndian value: Integer) {
        Swift.withUnsafeBytes(of: value.bigEndian) { self.append(contentsOf: $0) }
    }
}

extension ArraySlice<UInt8> {
    /// The whole slice as one integer; nil when it has another length.
    func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
        guard self.count == MemoryLayout<Integer>.size else { return nil }
        return Integer(bigEndian: self.withUnsafeBytes { $0.loadUnaligned(as: Integer.self) })
    }

    /// Takes an integer off the front; nil when there is none.
    mutating func takeInteger<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
        let size = MemoryLayout<Integer>.size
        guard self.count >= size else { return nil }
        defer { self = self.dropFirst(size) }
        return self.prefix(size).integer(type)
    }
}
