import Logging
import Postgres
import ServiceLifecycle
import TestEnvironment
import Testing

@Suite("PostgresClient", .timeLimit(.minutes(2)))
struct PostgresClientTests {
    @Test("50 tasks share a pool of 4, which never opens a fifth connection")
    func sharing() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 4
        } _: { client, _ in
            let pids = try await withThrowingTaskGroup(of: Set<Int32>.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        var pids: Set<Int32> = []
                        for round in 0..<10 {
                            let row = try await client.query("select \(number * round) as n, pg_backend_pid() as pid")[0]
                            let answer = try row["n", Int.self]
                            #expect(answer == number * round)
                            pids.insert(try row["pid", Int32.self])
                        }
                        return pids
                    }
                }
                return try await group.reduce(into: Set<Int32>()) { $0.formUnion($1) }
            }
            #expect((1...4).contains(pids.count), "\(pids.count) connections")
        }
    }

    @Test("who waits too long for a connection is told that all are in use")
    func exhaustion() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
            $0.connectTimeout = .seconds(2)
        } _: { client, _ in
            try await client.withConnection { connection in
                try await connection.query("select 1")
                let error = await #expect(throws: PostgresError.self) { try await client.query("select 1") }
                #expect(error?.code == .timeout)
                #expect(error?.description.contains("all 1 are in use") == true)
            }
            try await client.query("select 1")
        }
    }

    @Test("waiters whose tasks are cancelled leave at once, and the others are served, 50 times")
    func cancelledWaiter() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            for round in 0..<50 {
                let (cancelled, patient) = try await client.withConnection { connection in
                    try await connection.query("select 1")
                    let cancelled = (0..<2).map { _ in Task { try await client.query("select 1") } }
                    let patient = Task { try await client.query("select 1") }
                    // Some are cancelled before they wait, some while they do.
                    try await Task.sleep(for: .microseconds(round * 20))
                    for waiter in cancelled { waiter.cancel() }
                    for waiter in cancelled {
                        let error = await #expect(throws: PostgresError.self) { try await waiter.value }
                        #expect(error?.code == .cancelled)
                    }
                    return (cancelled.count, patient)
                }
                #expect(cancelled == 2)
                _ = try await patient.value
            }
        }
    }

    @Test("a waiter that is cancelled as the connection comes free neither loses nor keeps it, 200 times")
    func cancelledAsServed() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            let pid = try await client.pid()
            for round in 0..<200 {
                let holder = Task { try await client.withConnection { try await $0.query("select pg_sleep(0.001)") } }
                let waiter = Task { try await client.query("select 1") }
                try await Task.sleep(for: .microseconds(round * 10))
                waiter.cancel()
                if case .failure(let error) = await waiter.result { #expect((error as? PostgresError)?.code == .cancelled) }
                _ = try await holder.value
                let after = try await client.pid()
                #expect(after == pid)
            }
        }
    }

    @Test("a session the server ends during a statement is a connection error, and the next query works")
    func terminatedDuringStatement() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, url in
            try await withObserver(url) { observer in
                let pid = try await client.pid()
                let sleeping = Task { try await client.query("select pg_sleep(60)") }
                try await eventually("the statement runs") { try await observer.active("pg_sleep(60)") == 1 }
                try await observer.query("select pg_terminate_backend(\(pid))")
                let error = await #expect(throws: PostgresError.self) { try await sleeping.value }
                #expect(error?.code == .connection)
                #expect(error?.sqlState == "57P01")
                let after = try await client.pid()
                #expect(after != pid)
            }
        }
    }

    @Test("sessions the server ended while they were idle are replaced without an error")
    func terminatedWhileIdle() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 3
        } _: { client, url in
            try await withObserver(url) { observer in
                for _ in 0..<5 {
                    try await withThrowingDiscardingTaskGroup { group in
                        for _ in 0..<3 { group.addTask { try await client.query("select pg_sleep(0.02)") } }
                    }
                    try await observer.query(
                        """
                        select pg_terminate_backend(pid, 5000) from pg_stat_activity
                        where datname = current_database() and pid <> pg_backend_pid()
                        """
                    )
                    try await client.query("select 1")
                    try await client.withTransaction { try await $0.query("select 1") }
                }
            }
        }
    }

    @Test("a session ended in a pipeline is a connection error too, and no hang")
    func terminatedDuringPipeline() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await client.pipeline(["select 1", "select pg_terminate_backend(pg_backend_pid())", "select 2"])
            }
            #expect(error?.code == .connection)
            try await client.query("select 1")
        }
    }

    @Test("a wrong database is refused at once, with the server's reason")
    func permanentRefusal() async throws {
        try await withTestDatabase { _, url in
            let configuration = PostgresConfiguration(
                url: url.replacing("/s3file_test_", with: "/s3file_missing_"),
                connectTimeout: .seconds(120)
            )
            let client = PostgresClient(configuration: configuration, logger: .silent)
            let run = Task { try await client.run() }
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) { try await client.query("select 1") }
            #expect(error?.code == .connection)
            #expect(error?.sqlState == "3D000")
            #expect(ContinuousClock.now - start < atOnce)
            run.cancel()
            try await run.value
        }
    }

    @Test("queries wait for run(), and say so when nobody calls it")
    func notRunning() async throws {
        try await withTestDatabase { _, url in
            let configuration = PostgresConfiguration(url: url, connectTimeout: .milliseconds(100))
            let idle = PostgresClient(configuration: configuration, logger: .silent)
            let error = await #expect(throws: PostgresError.self) { try await idle.query("select 1") }
            #expect(error?.description.contains("run()") == true)

            let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: .silent)
            let early = Task { try await client.query("select 1") }
            let run = Task { try await client.run() }
            _ = try await early.value
            run.cancel()
            try await run.value
            let closed = await #expect(throws: PostgresError.self) { try await client.query("select 1") }
            #expect(closed?.code == .closed)
            let again = await #expect(throws: PostgresError.self) { try await client.run() }
            #expect(again?.code == .configuration)
        }
    }

    @Test("graceful shutdown and cancellation both end run() with queries waiting and under way, 50 times each")
    func shutdown() async throws {
        try await withTestDatabase { _, url in
            try await withObserver(url) { observer in
                for round in 0..<100 {
                    let configuration = PostgresConfiguration(
                        url: url,
                        maximumConnections: 2,
                        statementTimeout: nil,
                        shutdownGrace: .milliseconds(10)
                    )
                    let client = PostgresClient(configuration: configuration, logger: .silent)
                    let group = ServiceGroup(
                        configuration: .init(services: [.init(service: client)], logger: .silent)
                    )
                    let run = Task { try await group.run() }
                    let queries = (0..<4).map { _ in Task { try await client.query("select pg_sleep(60)") } }
                    try await eventually("two statements run") { try await observer.active("pg_sleep(60)") == 2 }
                    let start = ContinuousClock.now
                    if round.isMultiple(of: 2) {
                        await group.triggerGracefulShutdown()
                    } else {
                        run.cancel()
                    }
                    for query in queries {
                        let error = await #expect(throws: PostgresError.self) { try await query.value }
                        #expect(error?.code == .closed)
                    }
                    _ = await run.result
                    #expect(ContinuousClock.now - start < atOnce, "round \(round)")
                    try await eventually("no statement is left behind") { try await observer.active("pg_sleep(60)") == 0 }
                }
            }
        }
    }

    @Test("a statement that ends within the grace is let finish")
    func grace() async throws {
        try await withTestDatabase { _, url in
            try await withObserver(url) { observer in
                let client = PostgresClient(configuration: PostgresConfiguration(url: url), logger: .silent)
                let group = ServiceGroup(configuration: .init(services: [.init(service: client)], logger: .silent))
                let run = Task { try await group.run() }
                let query = Task { try await client.query("select 7 as n, pg_sleep(0.3)") }
                try await eventually("the statement runs") { try await observer.active("pg_sleep(0.3)") == 1 }
                await group.triggerGracefulShutdown()
                let rows = try await query.value
                #expect(try rows[0]["n", Int.self] == 7)
                try await run.value
            }
        }
    }
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
