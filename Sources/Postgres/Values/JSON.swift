/// The text of a JSON document, which travels as jsonb. The server checks it.
package struct JSON: Sendable, Hashable {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }

    /// jsonb's binary form is this byte, then the text
    /// ([jsonb_recv](https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/jsonb.c)).
    static let binaryVersion: UInt8 = 1
}

extension JSON: PostgresScalar {
    package static var postgresType: PostgresType { .jsonb }
    package static var postgresArrayType: PostgresType { .jsonbArray }

    package func encode(into bytes: inout [UInt8]) throws(PostgresError) {
        bytes.append(Self.binaryVersion)
        try self.text.encode(into: &bytes)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresError) -> JSON {
        _ = try cell.required(for: JSON.self)
        guard cell.type == .jsonb || cell.type == .json else { throw cell.mismatch(JSON.self) }
        return JSON(try String.decode(cell))
    }
}
