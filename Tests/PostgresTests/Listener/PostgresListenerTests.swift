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
}

@Suite("PostgresListener", .timeLimit(.minutes(1)))
struct PostgresListenerTests {
    private func withListener(
        _ url: String,
        channels: [String],
        pingInterval: Duration = .seconds(12),
        _ body: (Events) async throws -> Void
    ) async throws {
        let listener = PostgresListener(
            configuration: PostgresConfiguration(url: url, applicationName: "listener"),
            channels: channels,
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
            try await self.withListener(url, channels: ["s3file", #"odd "Name""#]) { events in
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
            try await self.withListener(url, channels: ["s3file"]) { events in
                #expect(await events.next() == .connected)
                for round in 0..<3 {
                    try await client.query("select pg_terminate_backend(pid) \(fragment: self.listening)")
                    #expect(await events.next() == .connected)
                    try await client.query("select pg_notify('s3file', \("round \(round)"))")
                    #expect(await events.next() == .notification(channel: "s3file", payload: "round \(round)"))
                }
            }
        }
    }

    @Test("it asks the server whether it is still there")
    func pings() async throws {
        try await withTestDatabase { client, url in
            try await self.withListener(url, channels: ["s3file"], pingInterval: .milliseconds(500)) { events in
                #expect(await events.next() == .connected)
                try await eventually("the session's last statement is a ping") {
                    try await client.count("select count(*) \(fragment: self.listening) and query = 'select 1'") == 1
                }
                try await client.query("select pg_notify('s3file', '')")
                #expect(await events.next() == .notification(channel: "s3file", payload: ""))
            }
        }
    }

    @Test("a peer that vanishes without a word is noticed by the ping, and replaced")
    func vanishedPeer() async throws {
        try await withTestDatabase { client, url in
            try await withStallingProxy(to: url) { proxy in
                try await self.withListener(proxy.url, channels: ["s3file"], pingInterval: .milliseconds(500)) { events in
                    #expect(await events.next() == .connected)
                    proxy.stall()
                    // Some 5 seconds: that long the cancelled ping is waited for.
                    #expect(await events.next() == .connected)
                    try await client.query("select pg_notify('s3file', 'again')")
                    #expect(await events.next() == .notification(channel: "s3file", payload: "again"))
                }
            }
        }
    }

    @Test("run() ends when it is cancelled, also while the server does not answer")
    func ends() async throws {
        let silence = try SilentServer()
        for url in ["postgresql://127.0.0.1:1/nowhere", "postgresql://127.0.0.1:\(silence.port)/nowhere"] {
            let listener = PostgresListener(
                configuration: PostgresConfiguration(url: url),
                channels: ["s3file"],
                logger: .silent
            )
            let run = Task { try await listener.run() }
            try await Task.sleep(for: .milliseconds(50))
            let start = ContinuousClock.now
            run.cancel()
            try await run.value
            #expect(ContinuousClock.now - start < .seconds(2))
            let events = Events(iterator: listener.notifications.makeAsyncIterator())
            #expect(await events.next() == nil)
        }
    }
}
