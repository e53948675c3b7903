package import Logging

/// Tells idle workers that there is work, or those who wait for news that there is some: at most once per 50 ms, after the commit, on a
/// connection of its own.
///
/// A NOTIFY inside the enqueue's transaction would make every commit wait for one lock in Postgres, so that enqueues would not scale.
/// A lost notification costs little: those who listen poll as well.
package final class WakeUp: Sendable {
    static let interval = Duration.milliseconds(50)

    private let whom: String
    private let notify: @Sendable () async throws -> Void
    private let logger: Logger
    private let requests: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// - Parameter whom: for the log.
    package init(_ whom: String, logger: Logger, notify: @escaping @Sendable () async throws -> Void) {
        self.whom = whom
        self.notify = notify
        self.logger = logger
        (self.requests, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Returns at once; many requests within the interval become one notification.
    package func request() {
        self.continuation.yield()
    }

    package func run() async {
        for await _ in self.requests {
            do {
                try await self.notify()
            } catch {
                self.logger.debug("They were not woken, and will poll", metadata: ["whom": "\(self.whom)", "error": "\(error)"])
            }
            guard (try? await Task.sleep(for: Self.interval)) != nil else { return }
        }
    }
}
