import Logging
import Postgres
import TestEnvironment
import Testing

/// An iterator that stays where its test is.
private final class Events {
    private var iterator: AsyncStream<PostgresNotification>.Iterator

    init(iterator: AsyncStream<PostgresNotification>.Iterator) {
        self.iterator = iterator
    }

    func next() async -> PostgresNotification? {
        await self.iterator.next(isolation: #isolation)
    }

    /// The next that is of that kind; others may come before it.
    func connected() async -> Bool {
        while let event = await self.next() { if event == .connected { return true } }
        return false
    }

    func disconnected() async -> PostgresError? {
        while let event = await self.next() { if case .disconnected(let error) = event { return error } }
        return nil
    }
}

@Suite("PostgresListener", .timeLimit(.minutes(1)))
struct PostgresListenerTests {
    private func withListener(
        _ url: String,
        channels: [String] = ["s3file"],
        pool: PostgresClient,
        pingInterval: Duration = .seconds(12),
        _ body: (Events) async throws -> Void
    ) async throws {
        let listener = PostgresListener(
            configuration: PostgresConfiguration(url: url, applicationName: "listener"),
            channels: channels,
            pingingThrough: pool,
            pingInterval: pingInterval,
            logger: .silent
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            defer { group.cancelAll() }
            try await body(Events(iterator: listener.notifications.makeAsyncIterator()))
        }
    }

    private let listening: SQL = """
        from pg_stat_activity where datname = current_database() and application_name = 'listener'
        """

    @Test("it says when it listens, and passes on what it hears in order, on every channel, whatever its name")
    func notifications() async throws {
        try await withTestDatabase { client, url in
            try await self.withListener(url, channels: ["s3file", #"odd "Name""#], pool: client) { events in
                #expect(await events.next() == .connected)
                for number in 0..<100 {
                    try await client.query("select pg_notify('s3file', \(String(number)))")
                    #expect(await events.next() == .notification(channel: "s3file", payload: String(number)))
                }
                try await client.query("select pg_notify('odd \"Name\"', 'hello')")
                #expect(await events.next() == .notification(channel: #"odd "Name""#, payload: "hello"))
            }
        }
    }

    @Test("when the server ends its session it connects again, says so, and hears on")
    func reconnects() async throws {
        try await withTestDatabase { client, url in
            try await self.withListener(url, pool: client) { events in
                #expect(await events.next() == .connected)
                for round in 0..<3 {
                    try await client.query("select pg_terminate_backend(pid) \(fragment: self.listening)")
                    let error = await events.disconnected()
                    #expect(error?.code == .connection)
                    #expect(await events.next() == .connected)
                    try await client.query("select pg_notify('s3file', \("round \(round)"))")
                    #expect(await events.next() == .notification(channel: "s3file", payload: "round \(round)"))
                }
            }
        }
    }

    @Test("a peer that vanishes without a word is noticed by the ping, reported and replaced")
    func vanishedPeer() async throws {
        try await withTestDatabase { client, url in
            try await withFaultProxy(to: url) { proxy in
                try await self.withListener(proxy.url, pool: client, pingInterval: .milliseconds(300)) { events in
                    for _ in 0..<3 {
                        #expect(await events.connected())
                        proxy.stall()
                        let error = await events.disconnected()
                        #expect(error?.description.contains("did not hear") == true, "\(String(describing: error))")
                    }
                    #expect(await events.connected())
                    try await client.query("select pg_notify('s3file', 'again')")
                    #expect(await events.next() == .notification(channel: "s3file", payload: "again"))
                }
            }
        }
    }

    @Test("while the pool cannot send pings, what is heard is passed on and the connection is kept")
    func pinglessPool() async throws {
        try await withTestDatabase { client, url in
            try await withFaultProxy(to: url) { proxy in
                let pool = PostgresClient(
                    configuration: PostgresConfiguration(url: proxy.url, connectTimeout: .milliseconds(100)),
                    logger: .silent
                )
                try await pool.whileRunning {
                    try await self.withListener(url, pool: pool, pingInterval: .milliseconds(50)) { events in
                        #expect(await events.next() == .connected)
                        proxy.fault = .refuse
                        proxy.cut()
                        let refused = proxy.accepted
                        try await eventually("pings fail") { proxy.accepted > refused + 3 }
                        try await client.query("select pg_notify('s3file', 'still here')")
                        #expect(await events.next() == .notification(channel: "s3file", payload: "still here"))
                    }
                }
            }
        }
    }

    @Test("cancelling it at any moment ends it and its session, 50 times")
    func cancelledAtAnyMoment() async throws {
        try await withTestDatabase { client, url in
            for round in 0..<50 {
                let listener = PostgresListener(
                    configuration: PostgresConfiguration(url: url, applicationName: "listener", connectTimeout: .seconds(120)),
                    channels: ["s3file"],
                    pingingThrough: client,
                    pingInterval: .milliseconds(5),
                    logger: .silent
                )
                let run = Task { try await listener.run() }
                try await Task.sleep(for: .microseconds(round * 500))
                let start = ContinuousClock.now
                run.cancel()
                try await run.value
                #expect(ContinuousClock.now - start < atOnce)
            }
            try await eventually("no session is left behind") {
                try await client.count("select count(*) \(fragment: self.listening)") == 0
            }
        }
    }

    @Test("run() ends when it is cancelled, also while the server does not answer")
    func ends() async throws {
        let silence = try SilentServer()
        let pool = PostgresClient(configuration: PostgresConfiguration(url: "postgresql://127.0.0.1:1/nowhere"), logger: .silent)
        for url in ["postgresql://127.0.0.1:1/nowhere", "postgresql://127.0.0.1:\(silence.port)/nowhere"] {
            let listener = PostgresListener(
                configuration: PostgresConfiguration(url: url, connectTimeout: .seconds(120)),
                channels: ["s3file"],
                pingingThrough: pool,
                logger: .silent
            )
            let run = Task { try await listener.run() }
            try await Task.sleep(for: .milliseconds(50))
            let start = ContinuousClock.now
            run.cancel()
            try await run.value
            #expect(ContinuousClock.now - start < atOnce)
            let events = Events(iterator: listener.notifications.makeAsyncIterator())
            #expect(!(await events.connected()))
        }
    }
}
