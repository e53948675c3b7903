import Postgres
import TestEnvironment
import Testing

@Suite("Cancellation", .timeLimit(.minutes(2)))
struct CancellationTests {
    @Test("a cancelled statement ends at once and its connection goes on, 50 times")
    func cancelled() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
            $0.statementTimeout = nil
        } _: { client, url in
            try await withObserver(url) { observer in
                let pid = try await client.pid()
                for _ in 0..<50 {
                    let sleeping = Task { try await client.query("select pg_sleep(60)") }
                    try await eventually("the statement runs") { try await observer.active("pg_sleep(60)") == 1 }
                    let start = ContinuousClock.now
                    sleeping.cancel()
                    let error = await #expect(throws: PostgresError.self) { try await sleeping.value }
                    #expect(error?.code == .cancelled)
                    #expect(error?.sqlState == "57014")
                    #expect(ContinuousClock.now - start < atOnce)
                    let after = try await client.pid()
                    #expect(after == pid)
                }
            }
        }
    }

    @Test("a cancellation that comes as the statement ends never hits the next one")
    func lateCancellations() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            let pid = try await client.pid()
            var ended = 0
            for round in 0..<200 {
                let task = Task { try await client.query("select pg_sleep(0.002)") }
                try await Task.sleep(for: .microseconds(round * 25))
                task.cancel()
                if case .success = await task.result { ended += 1 }
                let after = try await client.pid()
                #expect(after == pid)
            }
            #expect(ended > 0, "none came late: the test tests nothing")
            #expect(ended < 200, "all came late: the test tests nothing")
        }
    }

    @Test("cancelling a pipeline ends all of it, and its connection goes on, 50 times")
    func pipelines() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
            $0.statementTimeout = nil
        } _: { client, url in
            try await client.query("create table t (n int8)")
            let pid = try await client.pid()
            try await withObserver(url) { observer in
                for _ in 0..<50 {
                    let task = Task {
                        try await client.pipeline(
                            [
                                "insert into t values (1)", "select pg_sleep(60)", "insert into t values (2)",
                                "select pg_sleep(60)",
                            ]
                        )
                    }
                    try await eventually("the pipeline sleeps") { try await observer.active("pg_sleep(60)") == 1 }
                    let start = ContinuousClock.now
                    task.cancel()
                    let error = await #expect(throws: PostgresError.self) { try await task.value }
                    #expect(error?.code == .cancelled)
                    #expect(ContinuousClock.now - start < atOnce)
                    let count = try await client.count("select count(*) from t")
                    #expect(count == 0)
                }
                let after = try await client.pid()
                #expect(after == pid)
            }
        }
    }

    @Test("a pipeline that is cancelled at any moment took effect as a whole or not at all, and it says which, 100 times")
    func pipelinesAtAnyMoment() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
        } _: { client, _ in
            try await client.query("create table t (n int8)")
            let pid = try await client.pid()
            var expected = 0
            for round in 0..<100 {
                let task = Task {
                    try await client.pipeline((0..<20).map { _ in "insert into t select 1 from pg_sleep(0.0001)" })
                }
                try await Task.sleep(for: .microseconds(round * 80))
                task.cancel()
                switch await task.result {
                case .success: expected += 20
                case .failure(let error): #expect((error as? PostgresError)?.code == .cancelled)
                }
                let count = try await client.count("select count(*) from t")
                #expect(count == expected)
            }
            let after = try await client.pid()
            #expect(after == pid)
        }
    }

    @Test("a task that is cancelled already sends nothing")
    func cancelledBefore() async throws {
        try await withTestDatabase { client, _ in
            try await client.query("create table t (n int8)")
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await client.query("insert into t values (1)")
            }
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            let count = try await client.count("select count(*) from t")
            #expect(count == 0)
        }
    }

    @Test("a statement that takes longer than it may is cancelled, and the connection goes on")
    func statementTimeout() async throws {
        try await withTestDatabase {
            $0.maximumConnections = 1
            $0.statementTimeout = .milliseconds(100)
        } _: { client, _ in
            let pid = try await client.pid()
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) { try await client.query("select pg_sleep(60)") }
            #expect(error?.code == .timeout)
            #expect(error?.sqlState == "57014")
            #expect(ContinuousClock.now - start < atOnce)
            #expect(ContinuousClock.now - start >= .milliseconds(100))
            try await client.query("select pg_sleep(0.3)", timeout: .none)
            let own = await #expect(throws: PostgresError.self) {
                try await client.query("select pg_sleep(60)", timeout: .after(.milliseconds(20)))
            }
            #expect(own?.code == .timeout)
            let after = try await client.pid()
            #expect(after == pid)
        }
    }

    @Test("statements of several tasks on one connection queue up")
    func sharedConnection() async throws {
        try await withTestDatabase { client, _ in
            try await client.withConnection { connection in
                try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                    for number in 0..<50 {
                        group.addTask {
                            (number, try await connection.query("select \(number) as n, pg_sleep(0.001)")[0]["n", Int.self])
                        }
                    }
                    for try await (asked, answered) in group { #expect(asked == answered) }
                }
            }
        }
    }
}
