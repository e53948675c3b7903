import Postgres
import TestEnvironment
import Testing

@Suite("PostgresRows")
struct PostgresRowsTests {
    @Test("columns are found by name in whatever order they are asked for, by several tasks at once")
    func order() async throws {
        try await withTestDatabase { client, _ in
            let rows = try await client.query("select n, n * 2 as double, n * 3 as triple from generate_series(1, 100) as n")
            try await withThrowingDiscardingTaskGroup { group in
                for order in [["n", "double", "triple"], ["triple", "double", "n"], ["double", "double", "n", "triple"]] {
                    group.addTask {
                        for (index, row) in rows.enumerated() {
                            for name in order {
                                let factor = ["n": 1, "double": 2, "triple": 3][name]!
                                let value = try row[name, Int.self]
                                #expect(value == (index + 1) * factor)
                            }
                        }
                    }
                }
            }
            let error = #expect(throws: PostgresError.self) { try rows[0]["quadruple", Int.self] }
            #expect(error?.description.contains("only n, double, triple") == true)
        }
    }

    @Test("of several columns of one name the first is meant, however often it is asked for")
    func sameName() async throws {
        try await withTestDatabase { client, _ in
            let row = try await client.query("select 1 as n, 2 as n, 3 as m, 4 as n")[0]
            for _ in 0..<3 {
                #expect(try row["n", Int.self] == 1)
                #expect(try row["n", Int.self] == 1)
                #expect(try row["m", Int.self] == 3)
            }
        }
    }

    @Test("text that is not UTF-8 is an error and not cleaned up, and a replacement character is a character like others")
    func invalidText() async throws {
        try await withTestDatabase { client, _ in
            // The one-byte type takes any byte.
            let row = try await client.query(#"select (-56)::"char" as byte, \#("a\u{FFFD}é")::text as replacement"#)[0]
            let error = #expect(throws: PostgresError.self) { try row["byte", String.self] }
            #expect(error?.code == .decoding)
            #expect(try row["replacement", String.self] == "a\u{FFFD}é")
        }
    }
}
