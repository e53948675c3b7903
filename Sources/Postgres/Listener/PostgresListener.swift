package import Logging
import ServiceLifecycle

/// What a listener tells.
package enum PostgresNotification: Sendable, Hashable {
    /// It listens from here on. What happened before was not heard: look for it.
    case connected
    case notification(channel: String, payload: String)
}

/// LISTEN on a connection of its own, for as long as it runs: it reconnects for ever, and asks the server now and then whether it is still
/// there, since a peer that vanished says nothing.
///
/// Behind a transaction pooler LISTEN is accepted and delivers nothing, so its URL should be a direct one.
package struct PostgresListener: Service {
    /// One consumer. When that one is slow the oldest are dropped; they are hints, and the newest is as good as all.
    package let notifications: AsyncStream<PostgresNotification>
    private let continuation: AsyncStream<PostgresNotification>.Continuation
    private let configuration: PostgresConfiguration
    private let channels: [String]
    private let pingInterval: Duration
    private let logger: Logger

    package init(
        configuration: PostgresConfiguration,
        channels: [String],
        pingInterval: Duration = .seconds(12),
        logger: Logger
    ) {
        self.configuration = configuration
        self.channels = channels
        self.pingInterval = pingInterval
        self.logger = logger
        (self.notifications, self.continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self,
            bufferingPolicy: .bufferingNewest(1024)
        )
    }

    /// Until graceful shutdown or cancellation.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                let connection = PostgresConnection(configuration: self.configuration)
                do {
                    try await connection.connect()
                    for channel in self.channels {
                        try await connection.query("listen \(unescaped: Self.quoted(channel))")
                    }
                    failures = 0
                    self.continuation.yield(.connected)
                    try await connection.listen(pingInterval: self.pingInterval, to: self.continuation)
                } catch {
                    if !Task.isCancelled { self.logger.info("The listener lost Postgres", metadata: ["error": "\(error)"]) }
                }
                await connection.close()
                failures += 1
                try? await Task.sleep(for: PoolState.backoff(failures: failures, jitter: .random(in: 0...1)))
            }
        }
        self.continuation.finish()
    }

    private static func quoted(_ identifier: String) -> String {
        "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
