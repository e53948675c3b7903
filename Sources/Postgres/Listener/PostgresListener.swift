import CoreMetrics
package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// What a listener tells.
package enum PostgresNotification: Sendable, Hashable {
    /// It listens from here on, and has heard itself. What happened before was not heard: look for it.
    case connected
    case notification(channel: String, payload: String)
    /// It hears nothing until the next ``connected``.
    case disconnected(PostgresError)
}

/// LISTEN on a connection of its own, for as long as it runs. It reconnects for ever.
///
/// Now and then it sends itself a notification by way of the pool, as everybody else's come. When that is not heard, the peer has vanished
/// without a word, or the URL leads through a transaction pooler, where LISTEN is accepted and delivers nothing: either way it
/// reconnects, and says why. Only its own URL must be a direct one; the pool's may lead through the pooler.
package struct PostgresListener: Service {
    /// One consumer. When that one is slow the oldest are dropped; they are hints, and the newest is as good as all.
    package let notifications: AsyncStream<PostgresNotification>
    private let continuation: AsyncStream<PostgresNotification>.Continuation
    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let pool: PostgresClient
    private let pingInterval: Duration
    private let logger: Logger
    /// A channel of its own, as a ping on the others would wake every listener.
    private let pingChannel = "listener_\(String(UInt64.random(in: .min ... .max), radix: 36))"

    /// How long a ping may be on its way at most.
    private static let longestPing: Duration = .seconds(5)

    /// - Parameter pool: Sends the pings; a running client of the same database.
    package init(
        configuration: PostgresConfiguration,
        channels: [String],
        pingingThrough pool: PostgresClient,
        pingInterval: Duration = .seconds(12),
        logger: Logger
    ) {
        self.configuration = configuration
        self.channels = channels
        self.pool = pool
        self.pingInterval = pingInterval
        self.logger = logger
        (self.notifications, self.continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self,
            bufferingPolicy: .bufferingNewest(1024)
        )
    }

    /// Until graceful shutdown or cancellation.
    package func run() async throws {
        let metrics = ListenerMetrics(channel: self.channels.first ?? "", factory: self.pool.metrics.factory)
        metrics.isUp.record(0)
        // One that is not to listen any more is not one that is lost.
        defer { metrics.isUp.destroy() }
        await cancelWhenGracefulShutdown {
            let failures = NIOLockedValueBox(0)
            while !Task.isCancelled {
                let connection = PostgresConnection(configuration: self.configuration)
                do {
                    try await connection.connect()
                    for channel in self.channels + [self.pingChannel] {
                        try await connection.query("listen \(unescaped: Self.quoted(channel))")
                    }
                    try await self.serve(connection, failures, metrics)
                } catch {
                    if !Task.isCancelled {
                        metrics.isUp.record(0)
                        metrics.lost.increment()
                        self.report(error, first: failures.withLockedValue { $0 } == 0)
                    }
                }
                await connection.close()
                let count = failures.withLockedValue { failures in
                    failures += 1
                    return failures
                }
                try? await Task.sleep(for: PoolState.backoff(failures: count, jitter: .random(in: 0...1)))
            }
        }
        self.continuation.finish()
    }

    private func report(_ error: any Error, first: Bool) {
        let error = error as? PostgresError ?? PostgresError(.connection, "\(error)")
        // Loudly once, not every time while a server is away.
        self.logger.log(
            level: first ? .warning : .debug,
            "The listener does not hear Postgres; connecting again",
            metadata: ["error": "\(error)"]
        )
        self.continuation.yield(.disconnected(error))
    }

    /// Passes on what it hears. Returns when the task was cancelled, and throws when it hears no more.
    private func serve(
        _ connection: PostgresConnection,
        _ failures: NIOLockedValueBox<Int>,
        _ metrics: ListenerMetrics
    ) async throws {
        let echo = Echo()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await connection.listen { channel, payload in
                    if channel == self.pingChannel {
                        echo.heard(payload)
                    } else {
                        self.continuation.yield(.notification(channel: channel, payload: payload))
                    }
                }
            }
            group.addTask {
                try await self.ping(echo) {
                    failures.withLockedValue { $0 = 0 }
                    metrics.isUp.record(1)
                    self.logger.info("The listener hears Postgres")
                    self.continuation.yield(.connected)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func ping(_ echo: Echo, whenFirstHeard: () -> Void) async throws {
        let patience = min(self.pingInterval, Self.longestPing)
        var isFirst = true
        var number = 0
        while true {
            number += 1
            let arrival = echo.expect(String(number))
            do {
                try await self.pool.query(
                    "select pg_notify(\(self.pingChannel), \(String(number)))",
                    timeout: .after(Self.longestPing)
                )
            } catch {
                // The pool's trouble, which says nothing of this connection.
                try await Task.sleep(for: min(self.pingInterval, .seconds(1)))
                continue
            }
            try await arrival.value(until: .now + patience, otherwise: Self.silence)
            if isFirst { whenFirstHeard() }
            isFirst = false
            try await Task.sleep(for: self.pingInterval)
        }
    }

    private static let silence = PostgresError(
        .connection,
        """
        The listener did not hear the notification it sent itself: the network swallows what the server says, or the URL leads \
        through a transaction pooler such as pgbouncer, which delivers none. Give the listener a URL straight to Postgres.
        """
    )

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
