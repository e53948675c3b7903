import Postgres
import TestEnvironment
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Everything but LISTEN by way of a pooler that gives every transaction whichever server connection is free, two for all.
@Suite("Behind pgbouncer in transaction mode", .timeLimit(.minutes(2)))
struct PgbouncerTests {
    private func withPooledClient(
        configure: @Sendable (inout PostgresConfiguration) -> Void = { _ in },
        _ body: @Sendable (_ pooled: PostgresClient, _ direct: PostgresClient, _ url: String) async throws -> Void
    ) async throws {
        try await withTestDatabase { direct, url in
            try await direct.query("create table t (n int8 primary key, name text)")
            try await Pgbouncer.with(to: url) { pooledURL in
                var configuration = PostgresConfiguration(url: pooledURL, maximumConnections: 6)
                configure(&configuration)
                let pooled = PostgresClient(configuration: configuration, logger: .silent)
                try await pooled.whileRunning { try await body(pooled, direct, pooledURL) }
            }
        }
    }

    @Test("queries, pipelines, transactions and binary arrays of many tasks share two server connections")
    func statements() async throws {
        try await self.withPooledClient { pooled, direct, _ in
            let pids = try await withThrowingTaskGroup(of: Set<Int32>.self) { group in
                for task in 0..<12 {
                    group.addTask {
                        var pids: Set<Int32> = []
                        for round in 0..<10 {
                            let number = (task * 10 + round) * 10
                            let row = try await pooled.query("select \(number) as n, pg_backend_pid() as pid")[0]
                            #expect(try row["n", Int.self] == number)
                            pids.insert(try row["pid", Int32.self])
                            let names: [String?] = ["a", nil, "c"]
                            let inserted = try await pooled.pipeline([
                                """
                                insert into t select * from unnest(\([number, number + 1, number + 2]), \(names))
                                """,
                                "select array_agg(n order by n) as numbers, array_agg(name order by n) as names from t where n >= \(number) and n < \(number + 10)",
                            ])
                            #expect(try inserted[1][0]["numbers", [Int].self] == [number, number + 1, number + 2])
                            #expect(try inserted[1][0]["names", [String?].self] == names)
                            try await pooled.withTransaction { connection in
                                try await connection.query("insert into t values (\(number + 3), 'd')")
                                let own = try await connection.query(
                                    "select count(*) from t where n >= \(number) and n < \(number + 10)"
                                )
                                #expect(try own[0][0, Int.self] == 4)
                            }
                        }
                        return pids
                    }
                }
                return try await group.reduce(into: Set<Int32>()) { $0.formUnion($1) }
            }
            #expect(pids.count <= 2, "\(pids.count) server connections")
            let count = try await direct.count("select count(*) from t")
            #expect(count == 480)
            let constraint = await #expect(throws: PostgresError.self) {
                try await pooled.pipeline(["insert into t values (1000000)", "insert into t values (0)"])
            }
            #expect(constraint?.constraintName == "t_pkey")
            #expect(constraint?.statementIndex == 1)
        }
    }

    @Test("cancelling a statement, a pipeline or a transaction ends it on the server, and the connection goes on, 20 times")
    func cancellation() async throws {
        try await self.withPooledClient {
            $0.maximumConnections = 1
            $0.statementTimeout = nil
        } _: { pooled, direct, url in
            try await withObserver(direct.configuration.url) { observer in
                for round in 0..<60 {
                    let task = Task {
                        switch round % 3 {
                        case 0: try await pooled.query("select pg_sleep(60)")
                        case 1: try await pooled.pipeline(["insert into t values (1)", "select pg_sleep(60)"])
                        default:
                            try await pooled.withTransaction {
                                try await $0.query("insert into t values (1)")
                                try await $0.query("select pg_sleep(60)")
                            }
                        }
                    }
                    try await eventually("the statement runs") { try await observer.active("pg_sleep(60)") == 1 }
                    let start = ContinuousClock.now
                    task.cancel()
                    let error = await #expect(throws: PostgresError.self) { try await task.value }
                    #expect(error?.code == .cancelled)
                    #expect(error?.sqlState == "57014")
                    #expect(ContinuousClock.now - start < atOnce)
                    let left = try await observer.active("pg_sleep(60)")
                    #expect(left == 0)
                    let count = try await pooled.count("select count(*) from t")
                    #expect(count == 0)
                }
                // The pool never gave its one connection up: the pooler knows one client.
                let clients = try await observer.query(
                    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 's3file'"
                )
                #expect(try clients[0][0, Int.self] == 1)
            }
        }
    }

    @Test("a cancellation that comes as the statement ends hits no other client's statement")
    func lateCancellations() async throws {
        try await self.withPooledClient { pooled, _, _ in
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<100 { try await pooled.query("select pg_sleep(0.002)") }
                    }
                }
                for round in 0..<100 {
                    let task = Task { try await pooled.query("select pg_sleep(0.001)") }
                    try await Task.sleep(for: .microseconds(round * 40))
                    task.cancel()
                    if case .failure(let error) = await task.result { #expect((error as? PostgresError)?.code == .cancelled) }
                }
            }
        }
    }

    @Test("a statement that takes longer than it may is cancelled on the server, also while it waits for a server connection")
    func timeouts() async throws {
        try await self.withPooledClient {
            $0.statementTimeout = nil
        } _: { pooled, direct, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await pooled.query("select pg_sleep(60)", timeout: .after(.milliseconds(50)))
            }
            #expect(error?.code == .timeout)
            #expect(error?.sqlState == "57014")
            let holders = (0..<2).map { _ in Task { try await pooled.query("select pg_sleep(60)") } }
            try await withObserver(direct.configuration.url) { observer in
                try await eventually("both server connections are in use") { try await observer.active("pg_sleep(60)") == 2 }
                let start = ContinuousClock.now
                let waiting = await #expect(throws: PostgresError.self) {
                    try await pooled.query("select 1", timeout: .after(.milliseconds(50)))
                }
                #expect(waiting?.code == .timeout)
                #expect(ContinuousClock.now - start < atOnce)
                for holder in holders { holder.cancel() }
                for holder in holders { _ = await holder.result }
                let left = try await observer.active("pg_sleep(60)")
                #expect(left == 0)
            }
            try await pooled.query("select 1")
        }
    }

    @Test(
        "a listener whose own URL leads through it reports that it hears nothing, and one with a direct URL hears what comes through it"
    )
    func listening() async throws {
        try await self.withPooledClient { pooled, direct, pooledURL in
            func listener(_ url: String) -> PostgresListener {
                PostgresListener(
                    configuration: PostgresConfiguration(url: url),
                    channels: ["s3file"],
                    pingingThrough: pooled,
                    pingInterval: .milliseconds(200),
                    logger: .silent
                )
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                let deaf = listener(pooledURL)
                let hearing = listener(direct.configuration.url)
                group.addTask { try await deaf.run() }
                group.addTask { try await hearing.run() }
                var reports = 0
                for await event in deaf.notifications {
                    guard case .disconnected(let error) = event else {
                        Issue.record("it believed: \(event)")
                        break
                    }
                    #expect(error.description.contains("pgbouncer"))
                    reports += 1
                    // It tries again, as the URL may have been mended behind its back.
                    if reports == 2 { break }
                }
                try await pooled.query("select pg_notify('s3file', 'through the pooler')")
                var heard: [PostgresNotification] = []
                for await event in hearing.notifications {
                    heard.append(event)
                    if heard.count == 2 { break }
                }
                #expect(heard == [.connected, .notification(channel: "s3file", payload: "through the pooler")])
            }
        }
    }
}
