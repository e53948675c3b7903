import NIOConcurrencyHelpers

/// One worker's right to work, as this process knows it: by the monotonic clock, from when the last good heartbeat was *sent*.
///
/// Postgres decides who lives, by its own clock. This is the other half: a process that was stopped, or has lost the database, must know by
/// itself that its time is over, before somebody else takes its jobs.
final class WorkerLease: Sendable {
    /// How long before the lease's end no request is started any more.
    static let margin = Duration.seconds(3)

    let worker: Int64
    private let duration: Duration
    private let sentAt: NIOLockedValueBox<ContinuousClock.Instant>

    init(worker: Int64, duration: Duration, sentAt: ContinuousClock.Instant) {
        self.worker = worker
        self.duration = duration
        self.sentAt = NIOLockedValueBox(sentAt)
    }

    func prolong(sentAt: ContinuousClock.Instant) {
        self.sentAt.withLockedValue { $0 = max($0, sentAt) }
    }

    func isHeld(now: ContinuousClock.Instant = .now) -> Bool {
        now < self.sentAt.withLockedValue { $0 } + self.duration - Self.margin
    }
}

/// The lease is over; what is not settled is somebody else's now.
struct LeaseLost: Error {}
