import Postgres
import TestEnvironment
import Testing

@Suite("Transactions", .timeLimit(.minutes(1)))
struct TransactionTests {
    struct Refusal: Error {}

    @Test("a transaction commits when its body returns, and returns what that does")
    func commits() async throws {
        try await withTestDatabase { client, _ in
            try await client.query("create table t (n int8)")
            let word = try await client.withTransaction { connection in
                try await connection.query("insert into t values (1)")
                try await connection.pipeline(["insert into t values (2)", "insert into t values (3)"])
                let outside = try await client.count("select count(*) from t")
                #expect(outside == 0)
                return "done"
            }
            #expect(word == "done")
            let count = try await client.count("select count(*) from t")
            #expect(count == 3)
        }
    }

    @Test("a transaction rolls back when its body throws, and the connection goes on")
    func rollsBackOnThrow() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            try await client.query("create table t (n int8)")
            let pid = try await client.pid()
            await #expect(throws: Refusal.self) {
                try await client.withTransaction { connection in
                    try await connection.query("insert into t values (1)")
                    throw Refusal()
                }
            }
            let failed = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { connection in
                    try await connection.query("insert into t values (1)")
                    try await connection.query("select 1/0")
                }
            }
            #expect(failed?.sqlState == "22012")
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
            let after = try await client.pid()
            #expect(after == pid)
        }
    }

    @Test("a transaction rolls back when its task is cancelled, and the connection goes on")
    func rollsBackOnCancellation() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, url in
            try await client.query("create table t (n int8)")
            let pid = try await client.pid()
            try await withObserver(url) { observer in
                let task = Task {
                    try await client.withTransaction { connection in
                        try await connection.query("insert into t values (1)")
                        try await connection.query("select pg_sleep(60)")
                    }
                }
                try await eventually("the transaction sleeps") { try await observer.active("pg_sleep(60)") == 1 }
                task.cancel()
                let error = await #expect(throws: PostgresError.self) { try await task.value }
                #expect(error?.code == .cancelled)
            }
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
            let after = try await client.pid()
            #expect(after == pid)
        }
    }

    @Test("a swallowed failure is not reported as a commit")
    func swallowedFailure() async throws {
        try await withTestDatabase { client, _ in
            try await client.query("create table t (n int8)")
            let error = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { connection in
                    try await connection.query("insert into t values (1)")
                    _ = try? await connection.query("select 1/0")
                }
            }
            #expect(error?.code == .rolledBack)
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
        }
    }

    @Test("a connection left in a transaction is not lent again")
    func leftOpen() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            try await client.query("create table t (n int8)")
            let pid = try await client.withConnection { connection in
                try await connection.query("begin")
                try await connection.query("insert into t values (1)")
                return try await connection.pid()
            }
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
            let after = try await client.pid()
            #expect(after != pid)
        }
    }
}
