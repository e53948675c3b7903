import Postgres
import TestEnvironment
import Testing

@Suite("Deadlocks and conflicts", .timeLimit(.minutes(1)))
struct ConflictTests {
    /// Rows 1 and 2, and a lock for all to wait at until the right moment.
    private func withRows(_ body: (PostgresClient, _ observer: PostgresConnection) async throws -> Void) async throws {
        try await withTestDatabase { client, url in
            try await client.pipeline([
                "create table t (id int8 primary key, n int8)", "insert into t values (1, 0), (2, 0)", "create sequence attempt",
            ])
            try await withObserver(url) { observer in
                try await observer.query("select pg_advisory_lock(7)")
                try await body(client, observer)
            }
        }
    }

    private func untilBothWait(_ observer: PostgresConnection) async throws {
        try await eventually("both wait at the lock") {
            let rows = try await observer.query(
                """
                select count(*) from pg_locks
                where locktype = 'advisory' and not granted
                    and database = (select oid from pg_database where datname = current_database())
                """
            )
            return try rows[0][0, Int.self] == 2
        }
    }

    /// Two of these that cross each other wait for each other once; a third attempt waits for the end of who is left.
    private func crossing(_ first: Int, _ second: Int) -> [SQL] {
        [
            """
            select case when nextval('attempt') > 2 then pg_advisory_xact_lock(8) else pg_advisory_xact_lock_shared(8) end
            """,
            "set local deadlock_timeout = '10ms'", "update t set n = n + 1 where id = \(first)",
            "select pg_advisory_xact_lock_shared(7)", "update t set n = n + 1 where id = \(second)",
        ]
    }

    @Test("of two that wait for each other one is the victim, told by a typed error, and nothing of it stays")
    func victim() async throws {
        try await self.withRows { client, observer in
            let tasks = [(1, 2), (2, 1)].map { pair in Task { try await client.pipeline(self.crossing(pair.0, pair.1)) } }
            try await self.untilBothWait(observer)
            try await observer.query("select pg_advisory_unlock(7)")
            var victims = 0
            for task in tasks {
                guard case .failure(let error) = await task.result else { continue }
                victims += 1
                let conflict = try #require(error as? PostgresError)
                #expect(conflict.isConflict)
                #expect(conflict.code == .server)
                #expect(conflict.sqlState == "40P01")
            }
            #expect(victims == 1)
            let sum = try await client.count("select sum(n)::int8 from t")
            #expect(sum == 2)
        }
    }

    @Test("a deadlock's victim is repeated once when that is asked for, and each took effect exactly once")
    func repeatedVictim() async throws {
        try await self.withRows { client, observer in
            let tasks = [(1, 2), (2, 1)].map { pair in
                Task { try await client.pipeline(self.crossing(pair.0, pair.1), retryingConflicts: true) }
            }
            try await self.untilBothWait(observer)
            try await observer.query("select pg_advisory_unlock(7)")
            for task in tasks { _ = try await task.value }
            let sum = try await client.count("select sum(n)::int8 from t")
            #expect(sum == 4)
        }
    }

    @Test("a transaction that another overtook is repeated once when that is asked for")
    func overtaken() async throws {
        try await self.withRows { client, observer in
            let statements: [SQL] = [
                "set transaction isolation level repeatable read", "select * from t", "select pg_advisory_xact_lock_shared(7)",
                "update t set n = n + 1 where id = 1",
            ]
            let plain = Task { try await client.pipeline(statements) }
            let repeating = Task { try await client.pipeline(statements, retryingConflicts: true) }
            try await self.untilBothWait(observer)
            try await observer.pipeline(["update t set n = 10 where id = 1", "select pg_advisory_unlock(7)"])
            let error = await #expect(throws: PostgresError.self) { try await plain.value }
            #expect(error?.sqlState == "40001")
            #expect(error?.isConflict == true)
            _ = try await repeating.value
            let result = try await client.count("select n from t where id = 1")
            #expect(result == 11)
        }
    }
}
