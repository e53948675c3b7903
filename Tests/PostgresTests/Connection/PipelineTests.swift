import Postgres
import TestEnvironment
import Testing

@Suite("Pipeline")
struct PipelineTests {
    @Test("a pipeline returns one result a statement, in order")
    func results() async throws {
        try await withTestDatabase { client, _ in
            let results = try await client.pipeline([
                "create table t (n int8)", "insert into t select generate_series(1, 5)", "select n from t order by n",
                "select \("last") as word",
            ])
            #expect(results.count == 4)
            #expect(results.map(\.affected) == [0, 5, 5, 1])
            #expect(try results[2].map { try $0["n", Int.self] } == [1, 2, 3, 4, 5])
            #expect(try results[3][0]["word", String.self] == "last")
            #expect(try await client.pipeline([]).isEmpty)
        }
    }

    @Test("a pipeline is one transaction: when a statement fails nothing of it stays, and the connection goes on")
    func atomicity() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            try await client.query("create table t (n int8 primary key)")
            let pid = try await client.pid()
            let error = await #expect(throws: PostgresError.self) {
                try await client.pipeline([
                    "insert into t values (1)", "insert into t values (2)", "insert into t values (1)",
                    "insert into t values (4)",
                ])
            }
            #expect(error?.sqlState == "23505")
            #expect(error?.statementIndex == 2)
            #expect(error?.constraintName == "t_pkey")
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
            let after = try await client.pid()
            #expect(after == pid)
        }
    }

    @Test("a constraint that is checked at the commit fails the pipeline and a single statement")
    func deferredConstraint() async throws {
        try await withTestDatabase { client, _ in
            try await client.query("create table t (n int8 constraint once unique deferrable initially deferred)")
            let insert: SQL = "insert into t values (1)"
            let pipeline = await #expect(throws: PostgresError.self) { try await client.pipeline([insert, insert, "select 1"]) }
            #expect(pipeline?.constraintName == "once")
            #expect(pipeline?.statementIndex == nil)
            let single = await #expect(throws: PostgresError.self) {
                try await client.query("insert into t values (1), (1)")
            }
            #expect(single?.constraintName == "once")
            let transaction = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { try await $0.query("insert into t values (1), (1)") }
            }
            #expect(transaction?.constraintName == "once")
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
        }
    }

    @Test("a pipeline larger than all buffers on the way does not lock up")
    func large() async throws {
        try await withTestDatabase { client, _ in
            let text = String(repeating: "x", count: 20_000)
            let results = try await client.pipeline((0..<1_000).map { "select \($0) as n, \(text) as text" })
            #expect(results.count == 1_000)
            for (index, rows) in results.enumerated() {
                guard try rows[0]["n", Int.self] == index, try rows[0]["text", String.self] == text else {
                    Issue.record("statement \(index) came back different")
                    return
                }
            }
        }
    }

    @Test("a script of several statements runs, and COPY is refused without a hang")
    func scripts() async throws {
        try await withTestDatabase { client, _ in
            try await client.withConnection { connection in
                try await connection.simple("create table a (n int); insert into a values (1), (2); create table b (n int);")
            }
            let count = try await client.count("select count(*) from a")
            #expect(count == 2)
            let failure = await #expect(throws: PostgresError.self) {
                try await client.withConnection {
                    try await $0.simple("insert into b values (1); select 1/0; insert into b values (2)")
                }
            }
            #expect(failure?.sqlState == "22012")
            let rolledBack = try await client.count("select count(*) from b")
            #expect(rolledBack == 0)
            let copy = await #expect(throws: PostgresError.self) { try await client.query("copy a from stdin") }
            #expect(copy?.code == .invalidParameter)
            let still = try await client.count("select count(*) from a")
            #expect(still == 2)
        }
    }
}
