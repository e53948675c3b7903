import Postgres
import TestEnvironment
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite("Values")
struct ValueTests {
    private func expectRoundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: [Value],
        _ client: PostgresClient,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for value in values {
            let rows = try await client.query("select \(value) as value, \(Optional<Value>.none) as nothing")
            #expect(try rows[0]["value", Value.self] == value, sourceLocation: sourceLocation)
            #expect(try rows[0]["nothing", Value?.self] == nil, sourceLocation: sourceLocation)
            #expect(try rows[0]["value", Value?.self] == value, sourceLocation: sourceLocation)
        }
    }

    @Test("every type comes back as it was sent, and so do NULLs")
    func roundTrips() async throws {
        try await withTestDatabase { client, _ in
            try await self.expectRoundTrip([true, false], client)
            try await self.expectRoundTrip([Int16.min, -1, 0, .max], client)
            try await self.expectRoundTrip([Int32.min, -1, 0, .max], client)
            try await self.expectRoundTrip([Int64.min, -1, 0, .max], client)
            try await self.expectRoundTrip([Int.min, -1, 0, .max], client)
            try await self.expectRoundTrip([0.0, -1.5, .greatestFiniteMagnitude, .infinity, .leastNonzeroMagnitude], client)
            try await self.expectRoundTrip(["", "plain", "Ünïcödé 🗂️ \u{1}", "'; drop table upload; --"], client)
            try await self.expectRoundTrip([[UInt8](), [0], Array(0...255)], client)
            try await self.expectRoundTrip([UUID(), UUID(uuidString: "00000000-0000-0000-0000-000000000000")!], client)
            try await self.expectRoundTrip([JSON(#"{"a": [1, null, "b"]}"#)], client)
            // Whole microseconds that a Double can hold exactly.
            try await self.expectRoundTrip(
                [0, 1, -1, 0.5, 800_000_000.25, -978_307_200].map(Date.init(timeIntervalSinceReferenceDate:)),
                client
            )
        }
    }

    @Test("arrays come back as they were sent: empty ones, long ones, ones with NULLs")
    func arrayRoundTrips() async throws {
        try await withTestDatabase { client, _ in
            try await self.expectRoundTrip([[Int16](), [1, -2]], client)
            try await self.expectRoundTrip([[Int32](), [1, -2]], client)
            try await self.expectRoundTrip([[Int64](), Array(0..<10_000)], client)
            try await self.expectRoundTrip([[Int](), [.min, .max]], client)
            try await self.expectRoundTrip([[Double](), [1.5, -2]], client)
            try await self.expectRoundTrip([[Bool](), [true, false]], client)
            try await self.expectRoundTrip([[String](), ["a", "", "{\"b\",NULL}"]], client)
            try await self.expectRoundTrip([[String?](), ["a", nil, "NULL", nil]], client)
            try await self.expectRoundTrip([[UUID](), [UUID(), UUID()]], client)
            try await self.expectRoundTrip([[Date?](), [Date(timeIntervalSinceReferenceDate: 1), nil]], client)
            try await self.expectRoundTrip([[JSON](), [JSON("1"), JSON("null")]], client)
        }
    }

    @Test("unnest turns array parameters into rows")
    func unnest() async throws {
        try await withTestDatabase { client, _ in
            let ids = [UUID(), UUID()]
            let names: [String?] = ["one", nil]
            let rows = try await client.query(
                "select id, name from unnest(\(ids), \(names)) with ordinality as row (id, name, place) order by place"
            )
            #expect(try rows.map { try $0["id", UUID.self] } == ids)
            #expect(try rows.map { try $0["name", String?.self] } == names)
            #expect(rows.affected == 2)
        }
    }

    @Test("a date means the same moment to Postgres")
    func dates() async throws {
        try await withTestDatabase { client, _ in
            let date = Date(timeIntervalSince1970: 1_700_000_000.123456)
            let rows = try await client.query(
                "select to_char(\(date) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as text, 'infinity'::timestamptz as forever"
            )
            #expect(try rows[0]["text", String.self] == "2023-11-14 22:13:20.123456")
            let error = #expect(throws: PostgresError.self) { try rows[0]["forever", Date.self] }
            #expect(error?.code == .decoding)
        }
    }

    @Test("integers widen, and text types read as String")
    func conversions() async throws {
        try await withTestDatabase { client, _ in
            let rows = try await client.query(
                """
                create type pg_temp.colour as enum ('red')
                """
            )
            #expect(rows.isEmpty)
            let row = try await client.query(
                """
                select 1::int2 as small, 2::int4 as medium, 1.5::float4 as real, 'a'::varchar as varchar, 'b'::name as name,
                    '{"k": 1}'::jsonb as jsonb, '[1]'::json as json, array['x']::varchar[] as texts, 7::oid as oid
                """
            )[0]
            #expect(try row["small", Int.self] == 1)
            #expect(try row["small", Int32.self] == 1)
            #expect(try row["medium", Int64.self] == 2)
            #expect(try row["real", Double.self] == 1.5)
            #expect(try row["varchar", String.self] == "a")
            #expect(try row["name", String.self] == "b")
            #expect(try row["jsonb", String.self] == #"{"k": 1}"#)
            #expect(try row["json", JSON.self] == JSON("[1]"))
            #expect(try row["texts", [String].self] == ["x"])
            #expect(try row["oid", Int.self] == 7)
            #expect(try row[0, Int16.self] == 1)
        }
    }

    @Test("an enum of the user's own reads as String")
    func enums() async throws {
        try await withTestDatabase { client, _ in
            try await client.query("create type colour as enum ('red', 'green')")
            let row = try await client.query("select 'green'::colour as colour, array['red']::colour[] as colours")[0]
            #expect(try row["colour", String.self] == "green")
            #expect(try row["colours", [String].self] == ["red"])
        }
    }

    @Test("decoding errors name the column, its type and what was asked")
    func decodingErrors() async throws {
        try await withTestDatabase { client, _ in
            let row = try await client.query(
                "select 5::int8 as big, null::text as nothing, array[1, null]::int8[] as gaps, 1.5::numeric as amount"
            )[0]
            func expectError<Value: PostgresDecodable>(_ column: String, _ type: Value.Type, _ words: [String]) {
                let error = #expect(throws: PostgresError.self) { try row[column, type] }
                #expect(error?.code == .decoding)
                #expect(error?.columnName == column)
                for word in words {
                    #expect(error?.description.contains(word) == true, "\(word) in \(String(describing: error))")
                }
            }
            expectError("big", Int32.self, ["big", "int8", "Int32"])
            expectError("big", String.self, ["big", "int8", "String"])
            expectError("nothing", String.self, ["nothing", "NULL", "String?"])
            expectError("gaps", [Int64].self, ["gaps", "NULL"])
            expectError("amount", Double.self, ["amount", "numeric", "cast"])
            expectError("missing", Int.self, ["missing", "big, nothing, gaps, amount"])
            #expect(try row["gaps", [Int64?].self] == [1, nil])
        }
    }

    @Test("a NUL character is refused before it is sent, and the error does not repeat the text")
    func nulCharacters() async throws {
        try await withTestDatabase { client, _ in
            for sql: SQL in ["select \(1), \("secret\0")", "select \(["a", "secret\0"])", "select \(JSON("secret\0"))"] {
                let error = await #expect(throws: PostgresError.self) { try await client.query(sql) }
                #expect(error?.code == .invalidParameter)
                #expect(error?.description.contains("NUL") == true)
                #expect(error?.description.contains("secret") == false)
            }
            let error = await #expect(throws: PostgresError.self) {
                try await client.pipeline(["select 1", "select \(unescaped: "'a\0b'")"])
            }
            #expect(error?.code == .invalidParameter)
            let row = try await client.query("select 1 as one")[0]
            #expect(try row["one", Int.self] == 1)
        }
    }

    @Test("a date no timestamptz can hold is refused")
    func impossibleDates() async throws {
        try await withTestDatabase { client, _ in
            for seconds in [Double.nan, .infinity, 1e300] {
                let date = Date(timeIntervalSinceReferenceDate: seconds)
                let error = await #expect(throws: PostgresError.self) { try await client.query("select \(date)") }
                #expect(error?.code == .invalidParameter)
            }
        }
    }
}
