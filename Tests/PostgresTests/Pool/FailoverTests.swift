import Postgres
import TestEnvironment
import Testing

@Suite("Failover and restart", .timeLimit(.minutes(3)))
struct FailoverTests {
    @Test(
        "with two hosts and target_session_attrs=read-write the pool is on the primary, and goes over to the promoted standby by itself"
    )
    func failover() async throws {
        try await TestCluster.with { primary in
            try await primary.withStandby { standby in
                let client = PostgresClient(
                    configuration: PostgresConfiguration(
                        // The standby first, so that it is passed over on purpose.
                        url: """
                            postgresql://postgres@127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)/postgres\
                            ?target_session_attrs=read-write
                            """,
                        maximumConnections: 4,
                        connectTimeout: .seconds(120),
                        statementTimeout: nil
                    ),
                    logger: .silent
                )
                try await client.whileRunning {
                    try await client.query("create table t (n int8 primary key)")
                    try await client.query("insert into t values (1)")
                    let before = try await client.port()
                    #expect(before == primary.port)
                    try await withObserver(standby.url) { observer in
                        try await eventually("the standby has it") {
                            (try? await observer.query("select count(*) from t")[0][0, Int.self]) == 1
                        }
                    }
                    let statements = (0..<3).map { _ in Task { try await client.query("select pg_sleep(60)") } }
                    try await withObserver(primary.url) { observer in
                        try await eventually("statements run") { try await observer.active("pg_sleep(60)") == 3 }
                    }
                    try await primary.stop(.immediate)
                    for statement in statements {
                        let error = await #expect(throws: PostgresError.self) { try await statement.value }
                        #expect(error?.code == .connection)
                    }
                    let waiting = Task { try await client.query("insert into t values (2)") }
                    try await standby.promote()
                    let start = ContinuousClock.now
                    _ = try await waiting.value
                    #expect(ContinuousClock.now - start < atOnce)
                    let after = try await client.port()
                    #expect(after == standby.port)
                    let count = try await client.count("select count(*) from t")
                    #expect(count == 2)
                }
            }
        }
    }

    @Test("connections to a server that became read-only are given up, so that the pool finds one that can be written to")
    func demotion() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 2
        } _: { client, url in
            try await client.query("create table t (n int8)")
            let pid = try await client.pid()
            let error = await #expect(throws: PostgresError.self) {
                // One round trip and transaction, as far as the server is concerned a standby's.
                try await client.pipeline(["set transaction read only", "insert into t values (1)"])
            }
            #expect(error?.sqlState == "25006")
            #expect(error?.code == .server)
            let after = try await client.pid()
            #expect(after != pid)
        }
    }

    @Test("after a crash of Postgres the pool answers as soon as it accepts connections, however long it was away")
    func restart() async throws {
        try await TestCluster.with { cluster in
            let client = PostgresClient(
                configuration: PostgresConfiguration(url: cluster.url, maximumConnections: 3, connectTimeout: .seconds(8)),
                logger: .silent
            )
            try await client.whileRunning {
                for outage in [Duration.zero, .seconds(3)] {
                    try await withThrowingDiscardingTaskGroup { group in
                        for _ in 0..<3 { group.addTask { try await client.query("select pg_sleep(0.05)") } }
                    }
                    let statement = Task { try await client.query("select pg_sleep(60)") }
                    try await Task.sleep(for: .milliseconds(50))
                    try await cluster.stop(.immediate)
                    let lost = await #expect(throws: PostgresError.self) { try await statement.value }
                    #expect(lost?.code == .connection)
                    // Somebody asks all the time, as workers do.
                    let asking = Task {
                        while true {
                            do {
                                try await client.query("select 1")
                                return ContinuousClock.now
                            } catch let error as PostgresError {
                                #expect(error.code == .connection)
                            }
                        }
                    }
                    try await Task.sleep(for: outage)
                    try await cluster.start()
                    let accepting = ContinuousClock.now
                    let answered = try await asking.value
                    #expect(answered - accepting < atOnce)
                }
            }
        }
    }
}

extension PostgresClient {
    fileprivate func port() async throws -> Int {
        try await self.count("select inet_server_port()")
    }
}
