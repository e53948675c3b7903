package import Logging

/// Tells idle workers that there is work: at most once per 50 ms, after the commit, on a connection of its own.
///
/// A NOTIFY inside the enqueue's transaction would make every commit wait for one lock in Postgres, so that enqueues would not scale.
/// A lost notification costs little: workers poll as well.
package final class WakeUp: Sendable {
    static let interval = Duration.milliseconds(50)

    private let record: any UploadRecord
    private let logger: Logger
    private let requests: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init(record: any UploadRecord, logger: Logger) {
        self.record = record
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
                try await self.record.notify()
            } catch {
                self.logger.debug("Workers were not woken; they will poll", metadata: ["error": "\(error)"])
            }
            guard (try? await Task.sleep(for: Self.interval)) != nil else { return }
        }
    }
}
