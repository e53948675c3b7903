/// The binary format of one-dimensional arrays: number of dimensions, whether there are NULLs, the element's type, length, lower bound, then
/// a length (-1 for NULL) and the bytes of each
/// ([array_recv](https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/arrayfuncs.c)).
enum PostgresArray {
    static func encode<Element: PostgresEncodable>(
        _ elements: some Collection<Element?>,
        into bytes: inout [UInt8]
    ) throws(PostgresError) {
        if elements.isEmpty {
            bytes.append(bigEndian: Int32(0))
            bytes.append(bigEndian: Int32(0))
            bytes.append(bigEndian: Element.postgresType.oid)
            return
        }
        bytes.append(bigEndian: Int32(1))
        bytes.append(bigEndian: Int32(elements.contains { $0 == nil } ? 1 : 0))
        bytes.append(bigEndian: Element.postgresType.oid)
        bytes.append(bigEndian: Int32(elements.count))
        bytes.append(bigEndian: Int32(1))
        for element in elements {
            let start = bytes.count
            bytes.append(bigEndian: Int32(-1))
            guard let element else { continue }
            try element.encode(into: &bytes)
            let length = Int32(bytes.count - start - 4)
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: length.bigEndian, toByteOffset: start, as: Int32.self) }
        }
    }

    static func decode<Element: PostgresDecodable>(
        _ cell: PostgresCell,
        type: PostgresType
    ) throws(PostgresError) -> [Element] {
        var rest = try cell.required(for: [Element].self)
        guard cell.type == type || cell.type.oid >= PostgresType.firstUserDefined || Self.isTextual(cell.type, type) else {
            throw cell.mismatch([Element].self)
        }
        guard
            let dimensions = rest.takeInteger(Int32.self), rest.takeInteger(Int32.self) != nil,
            let elementType = rest.takeInteger(UInt32.self)
        else { throw cell.malformed([Element].self) }
        if dimensions == 0 { return [] }
        guard
            dimensions == 1, let count = rest.takeInteger(Int32.self), rest.takeInteger(Int32.self) != nil,
            count >= 0, Int(count) <= rest.count / 4
        else { throw cell.malformed([Element].self) }
        var elements: [Element] = []
        elements.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let length = rest.takeInteger(Int32.self), Int(length) <= rest.count else {
                throw cell.malformed([Element].self)
            }
            let bytes = length < 0 ? nil : rest.prefix(Int(length))
            rest = rest.dropFirst(max(0, Int(length)))
            elements.append(
                try Element.decode(PostgresCell(bytes: bytes, type: PostgresType(oid: elementType), column: cell.column))
            )
        }
        guard rest.isEmpty else { throw cell.malformed([Element].self) }
        return elements
    }

    /// varchar[], name[] and the like may be read as text[]; each element is checked again by its own type.
    private static func isTextual(_ type: PostgresType, _ asked: PostgresType) -> Bool {
        asked == .textArray && [1002, 1003, 1014, 1015].contains(type.oid)
    }
}

extension PostgresScalar {
    package static func encode(array: [Self], into bytes: inout [UInt8]) throws(PostgresError) {
        try PostgresArray.encode(array.lazy.map(Optional.some), into: &bytes)
    }

    package static func decode(array cell: PostgresCell) throws(PostgresError) -> [Self] {
        try PostgresArray.decode(cell, type: Self.postgresArrayType)
    }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresScalar {
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }

    package static func encode(array: [Wrapped?], into bytes: inout [UInt8]) throws(PostgresError) {
        try PostgresArray.encode(array, into: &bytes)
    }

    package static func decode(array cell: PostgresCell) throws(PostgresError) -> [Wrapped?] {
        try PostgresArray.decode(cell, type: Wrapped.postgresArrayType)
    }
}

extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .bytea }

    package static func encode(array: [UInt8], into bytes: inout [UInt8]) {
        bytes += array
    }

    package static func decode(array cell: PostgresCell) throws(PostgresError) -> [UInt8] {
        let bytes = try cell.required(for: [UInt8].self)
        guard cell.type == .bytea else { throw cell.mismatch([UInt8].self) }
        return Array(bytes)
    }
}
