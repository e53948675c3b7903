extension Bool: PostgresScalar {
    package static var postgresType: PostgresType { .bool }
    package static var postgresArrayType: PostgresType { .boolArray }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(self ? 1 : 0)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Bool {
        let bytes = try cell.required(for: Bool.self)
        guard cell.type == .bool else { throw cell.mismatch(Bool.self) }
        guard let byte = bytes.integer(UInt8.self) else { throw cell.malformed(Bool.self) }
        return byte != 0
    }
}

extension Int16: PostgresScalar {
    package static var postgresType: PostgresType { .int2 }
    package static var postgresArrayType: PostgresType { .int2Array }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(bigEndian: self)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int16 {
        try cell.integer(Int16.self, from: [.int2])
    }
}

extension Int32: PostgresScalar {
    package static var postgresType: PostgresType { .int4 }
    package static var postgresArrayType: PostgresType { .int4Array }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(bigEndian: self)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int32 {
        try cell.integer(Int32.self, from: [.int2, .int4])
    }
}

extension Int64: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(bigEndian: self)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int64 {
        try cell.integer(Int64.self, from: [.int2, .int4, .int8, .oid])
    }
}

extension Int: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(bigEndian: Int64(self))
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int {
        try cell.integer(Int.self, from: [.int2, .int4, .int8, .oid])
    }
}

extension Double: PostgresScalar {
    package static var postgresType: PostgresType { .float8 }
    package static var postgresArrayType: PostgresType { .float8Array }

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(bigEndian: self.bitPattern)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> Double {
        let bytes = try cell.required(for: Double.self)
        switch cell.type {
        case .float8:
            guard let bits = bytes.integer(UInt64.self) else { throw cell.malformed(Double.self) }
            return Double(bitPattern: bits)
        case .float4:
            guard let bits = bytes.integer(UInt32.self) else { throw cell.malformed(Double.self) }
            return Double(Float(bitPattern: bits))
        default:
            throw cell.mismatch(Double.self)
        }
    }
}

extension String: PostgresScalar {
    package static var postgresType: PostgresType { .text }
    package static var postgresArrayType: PostgresType { .textArray }

    package func encode(into bytes: inout [UInt8]) throws(PostgresError) {
        guard !self.utf8.contains(0) else {
            throw PostgresError(
                .invalidParameter,
                "the text holds a NUL character, which Postgres cannot store: refuse it where it came in."
            )
        }
        bytes += self.utf8
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> String {
        var bytes = try cell.required(for: String.self)
        switch cell.type {
        case .text, .varchar, .bpchar, .name, .char, .json, .xml, .unknown:
            break
        case .jsonb:
            guard bytes.first == JSON.binaryVersion else { throw cell.malformed(String.self) }
            bytes = bytes.dropFirst()
        default:
            guard cell.type.oid >= PostgresType.firstUserDefined else { throw cell.mismatch(String.self) }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        // What is invalid was replaced. `String(validating:as:)` would tell, too, but costs as much as the rest of reading a row.
        let isASCII = bytes.allSatisfy { $0 < 0x80 }
        guard isASCII || text.utf8.elementsEqual(bytes) else { throw cell.malformed(String.self) }
        return text
    }
}

extension PostgresCell {
    fileprivate func integer<Integer: FixedWidthInteger>(
        _ type: Integer.Type,
        from types: [PostgresType]
    ) throws(PostgresError) -> Integer {
        let bytes = try self.required(for: type)
        guard types.contains(self.type) else { throw self.mismatch(type) }
        let value: Integer? =
            switch bytes.count {
            case 2: bytes.integer(Int16.self).flatMap(Integer.init(exactly:))
            case 4 where self.type == .oid: bytes.integer(UInt32.self).flatMap(Integer.init(exactly:))
            case 4: bytes.integer(Int32.self).flatMap(Integer.init(exactly:))
            case 8: bytes.integer(Int64.self).flatMap(Integer.init(exactly:))
            default: nil
            }
        guard let value else { throw self.malformed(type) }
        return value
    }
}
