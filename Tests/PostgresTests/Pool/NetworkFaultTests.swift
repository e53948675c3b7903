import Postgres
import TestEnvironment
import Testing

/// A pool behind a network that fails. `direct` does not go through the proxy.
@Suite("A failing network", .timeLimit(.minutes(2)))
struct NetworkFaultTests {
    private func withPool(
        configure: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: (_ pool: PostgresClient, _ direct: PostgresClient, FaultProxy) async throws -> Void
    ) async throws {
        try await withTestDatabase { direct, url in
            try await direct.query("create table t (n int8 primary key)")
            try await withFaultProxy(to: url) { proxy in
                var configuration = PostgresConfiguration(url: proxy.url, maximumConnections: 2, shutdownGrace: .milliseconds(10))
                configure(&configuration)
                let pool = PostgresClient(configuration: configuration, logger: .silent)
                try await pool.whileRunning { try await body(pool, direct, proxy) }
            }
        }
    }

    @Test("connections cut while they are idle are replaced without an error")
    func cutWhileIdle() async throws {
        try await self.withPool { pool, _, proxy in
            for round in 1...20 {
                try await pool.query("select 1")
                #expect(proxy.accepted == round)
                #expect(try proxy.established() == 1)
                proxy.cut()
                try await eventually("the cut has arrived") { try proxy.established() == 0 }
            }
        }
    }

    @Test("a connection cut under a statement fails that one with a typed error, and the next query works")
    func cutUnderStatement() async throws {
        try await self.withPool { pool, direct, proxy in
            for _ in 0..<10 {
                let statement = Task { try await pool.query("select pg_sleep(60)") }
                try await eventually("the statement runs") { try await direct.sleeping() == 1 }
                proxy.cut()
                let error = await #expect(throws: PostgresError.self) { try await statement.value }
                #expect(error?.code == .connection)
                try await pool.query("select 1")
                // Nobody told the server.
                try await direct.query(
                    """
                    select pg_terminate_backend(pid, 5000) from pg_stat_activity
                    where datname = current_database() and query = 'select pg_sleep(60)'
                    """
                )
            }
        }
    }

    @Test("when a reply is lost the statement's outcome is unknown, and the error says it is a connection's")
    func lostReply() async throws {
        try await self.withPool { pool, direct, proxy in
            for number in 1...10 {
                proxy.loseReplies(toRequestsContaining: "insert into t")
                let error = await #expect(throws: PostgresError.self) {
                    try await pool.pipeline(["select 1", "insert into t values (\(number))"])
                }
                #expect(error?.code == .connection)
                try await eventually("it did take effect") { try await direct.count("select count(*) from t") == number }
                try await pool.query("select 1")
            }
        }
    }

    @Test(
        "a server that falls silent under a statement costs its timeout and a little, and the pool goes on with new connections"
    )
    func blackHole() async throws {
        try await self.withPool {
            $0.statementTimeout = .milliseconds(200)
        } _: { pool, _, proxy in
            try await pool.query("select 1")
            proxy.stall()
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) { try await pool.query("select 1") }
            #expect(error?.code == .timeout)
            #expect(ContinuousClock.now - start < atOnce)
            try await pool.query("select 1")
        }
    }

    @Test("a network that heals in time is not noticed but for the delay")
    func healing() async throws {
        try await self.withPool { pool, direct, proxy in
            try await pool.query("select 1")
            proxy.fault = .blackHole
            let late = Task { try await pool.query("insert into t values (1)") }
            try await Task.sleep(for: .milliseconds(100))
            let meanwhile = try await direct.count("select count(*) from t")
            #expect(meanwhile == 0)
            proxy.fault = .delay(.milliseconds(20))
            _ = try await late.value
            let after = try await pool.count("select count(*) from t")
            #expect(after == 1)
            #expect(proxy.accepted == 1)
        }
    }

    @Test("a cancellation that has to go a long way still cancels on the server, and the connection goes on")
    func slowCancellation() async throws {
        try await self.withPool {
            $0.maximumConnections = 1
        } _: { pool, direct, proxy in
            let pid = try await pool.pid()
            proxy.fault = .delay(.milliseconds(50))
            let statement = Task { try await pool.query("select pg_sleep(60)") }
            try await eventually("the statement runs") { try await direct.sleeping() == 1 }
            statement.cancel()
            let error = await #expect(throws: PostgresError.self) { try await statement.value }
            #expect(error?.code == .cancelled)
            let left = try await direct.sleeping()
            #expect(left == 0)
            let after = try await pool.pid()
            #expect(after == pid)
        }
    }

    @Test("while connections are refused queries wait, and the pool answers soon after the end of it")
    func refusedConnections() async throws {
        try await self.withPool {
            $0.connectTimeout = .seconds(120)
        } _: { pool, _, proxy in
            try await pool.query("select 1")
            proxy.fault = .refuse
            proxy.cut()
            try await eventually("the proxy has no connection") { proxy.open == 0 }
            let waiting = Task { try await pool.query("select 1") }
            try await eventually("it was tried a few times") { proxy.accepted > 5 }
            proxy.fault = .none
            let start = ContinuousClock.now
            _ = try await waiting.value
            #expect(ContinuousClock.now - start < atOnce)
        }
    }
}

extension PostgresClient {
    fileprivate func sleeping() async throws -> Int {
        try await self.count(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and state = 'active' and query = 'select pg_sleep(60)'
            """
        )
    }
}
