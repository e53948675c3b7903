import Foundation
import Postgres

extension FuzzedReader {
    /// What a value of Postgres's is read as is written so that the same is read again.
    ///
    /// The first byte says which type is asked for, the second which one the column is said to have.
    static func checkValues(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard bytes.count >= 2 else { return }
        let types: [PostgresType] = [
            .bool, .bytea, .int2, .int4, .int8, .oid, .float4, .float8, .text, .varchar, .json, .jsonb, .uuid, .timestamptz,
            .numeric,
            .boolArray, .int2Array, .int4Array, .int8Array, .textArray, .float8Array, .uuidArray, .timestamptzArray, .jsonbArray,
            PostgresType(oid: 20_000),
        ]
        let cell = PostgresCell(bytes: bytes[2...], type: types[Int(bytes[1]) % types.count], column: "x")
        switch bytes[0] % 16 {
        case 0: try Self.check(Bool.self, cell)
        case 1: try Self.check(Int16.self, cell)
        case 2: try Self.check(Int32.self, cell)
        case 3: try Self.check(Int64.self, cell)
        case 4: try Self.check(Int.self, cell)
        case 5: try Self.check(Double.self, cell) { $0 == $1 || $0.isNaN && $1.isNaN }
        case 6: try Self.check(String.self, cell)
        case 7: try Self.check(UUID.self, cell)
        // Microseconds of far-off years are more than a Double tells apart.
        case 8:
            try Self.check(Date.self, cell) {
                abs($0.timeIntervalSince($1)) <= abs($0.timeIntervalSinceReferenceDate) / 1e15 + 1e-6
            }
        case 9: try Self.check(JSON.self, cell)
        case 10: try Self.check([UInt8].self, cell)
        case 11: try Self.check([Int64].self, cell)
        case 12: try Self.check([String].self, cell)
        case 13: try Self.check([String?].self, cell)
        case 14: try Self.check([UUID].self, cell)
        default: try Self.check([Bool?].self, cell)
        }
    }

    private static func check<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ type: Value.Type,
        _ cell: PostgresCell,
        _ isSame: (Value, Value) -> Bool = { $0 == $1 }
    ) throws(InvariantViolation) {
        let value: Value
        do {
            value = try Value.decode(cell)
        } catch {
            try require(error.code == .decoding && error.columnName == "x", "a value is refused with \(error)")
            return
        }
        let again: Value
        do {
            var written: [UInt8] = []
            try value.encode(into: &written)
            again = try Value.decode(PostgresCell(bytes: written[...], type: Value.postgresType, column: "x"))
        } catch {
            // A text of a server's, which holds no NUL.
            return try require(
                error.code == .invalidParameter && cell.bytes?.contains(0) == true,
                "\(value) cannot be written: \(error)"
            )
        }
        try require(isSame(again, value), "\(value) was written, and read again as \(again)")
    }
}
