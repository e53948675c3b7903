import Testing

@testable import Postgres

@Suite("SQL")
struct SQLTests {
    @Test("interpolated values become parameters, and only unescaped text is pasted")
    func interpolation() {
        let table = "upload"
        let sql: SQL =
            "select * from \(unescaped: table) where id = \(5) and name = any(\(["a'; drop table x"])) limit \(Int32(3))"
        #expect(sql.text == "select * from upload where id = $1 and name = any($2) limit $3")
        #expect(sql.parameters.map(\.type) == [.int8, .textArray, .int4])
        #expect(sql.description == sql.text)
    }

    @Test("fragments keep their parameters, renumbered")
    func fragments() {
        let condition: SQL = "owner = \("me") and size > \(Int64(7))"
        let none: String? = nil
        let sql: SQL = "update t set note = \(none) where \(fragment: condition) or \(true)"
        let sum = sql + " returning \(1)"
        #expect(sum.text == "update t set note = $1 where owner = $2 and size > $3 or $4 returning $5")
        #expect(sum.parameters.map(\.type) == [.text, .text, .int8, .bool, .int8])
        #expect(
            sum.parameters.map { $0.range.map { Array(sum.bytes[$0]) } } == [
                nil, Array("me".utf8), [0, 0, 0, 0, 0, 0, 0, 7], [1], [0, 0, 0, 0, 0, 0, 0, 1],
            ]
        )
    }

    @Test("an optional that is nil is a NULL of its type, and an empty string is not NULL")
    func nulls() {
        let nothing: [String]? = nil
        let sql: SQL = "select \(nothing), \("")"
        #expect(sql.parameters[0].type == .textArray)
        #expect(sql.parameters[0].range == nil)
        #expect(sql.parameters[1].range?.isEmpty == true)
        sql.withLibpqParameters { count, _, values, lengths, formats in
            #expect(count == 2)
            #expect(values[0] == nil)
            #expect(values[1] != nil)
            #expect(lengths == [0, 0])
            #expect(formats == [1, 1])
        }
    }

    @Test("more parameters than the protocol can count are refused")
    func tooMany() {
        var sql: SQL = "select \(1)"
        sql.pieces += Array(repeating: "", count: 65_535)
        sql.parameters += Array(repeating: sql.parameters[0], count: 65_535)
        let error = #expect(throws: PostgresError.self) { try sql.validate() }
        #expect(error?.code == .invalidParameter)
        #expect(error?.description.contains("65536") == true)
    }
}
