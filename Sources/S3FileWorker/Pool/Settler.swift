import Logging
import S3File
import NIOConcurrencyHelpers

/// Gathers outcomes for a moment and settles them together: one statement and one commit for many uploads.
final class Settler: Sendable {
    /// A batch is written when it has this many, or this long after its first.
    static let batchSize = 100
    static let gatherTime = Duration.milliseconds(10)

    private struct Pending: Sendable {
        var job: Job
        var outcome: Outcome
        var done: CheckedContinuation<Settlement?, Never>
    }

    private let queue: UploadQueue
    private let lease: WorkerLease
    private let logger: Logger
    private let pending = NIOLockedValueBox<[Pending]>([])
    private let doorbell = Doorbell()

    init(queue: UploadQueue, lease: WorkerLease, logger: Logger) {
        self.queue = queue
        self.lease = lease
        self.logger = logger
    }

    /// Returns when the outcome is durable, with the upload's new status; `nil` when the attempt belongs to somebody else by now.
    func settle(_ job: Job, _ outcome: Outcome) async -> Settlement? {
        await withCheckedContinuation { done in
            self.pending.withLockedValue { $0.append(Pending(job: job, outcome: outcome, done: done)) }
            self.doorbell.ring()
        }
    }

    /// Until cancelled. What is pending then gets no answer from Postgres: it counts as lost, and the lease decides.
    func run() async {
        while !Task.isCancelled {
            await self.doorbell.wait()
            try? await Task.sleep(for: Self.gatherTime)
            while let batch = self.takeBatch() { await self.write(batch) }
        }
        while let batch = self.takeBatch() { for entry in batch { entry.done.resume(returning: nil) } }
    }

    private func takeBatch() -> [Pending]? {
        self.pending.withLockedValue { pending in
            guard !pending.isEmpty else { return nil }
            let batch = Array(pending.prefix(Self.batchSize))
            pending.removeFirst(batch.count)
            return batch
        }
    }

    /// Repeats until Postgres has answered or the lease is over: repeating is safe, since every row is fenced by its attempt.
    private func write(_ batch: [Pending]) async {
        var pause = Duration.milliseconds(100)
        while true {
            do {
                let settled = try await self.queue.settle(batch.map { ($0.job, $0.outcome) }, worker: self.lease.worker)
                for entry in batch { entry.done.resume(returning: settled[entry.job.id]) }
                return
            } catch {
                guard self.lease.isHeld(), !Task.isCancelled else {
                    for entry in batch { entry.done.resume(returning: nil) }
                    return
                }
                let cause = await self.queue.cause(of: error)
                self.logger.warning(
                    "Outcomes could not be recorded; trying again",
                    metadata: ["error": "\(cause)", "count": "\(batch.count)"]
                )
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
