import NIOConcurrencyHelpers
import S3File
import Synchronization

/// How a worker process is, as it notes by itself in passing.
final class WorkerHealth: Sendable {
    /// The loops turn every second or so; one that has not for this long hangs. A database that is away makes a turn last half a minute.
    static let patience = Duration.seconds(120)

    private struct State {
        var lease: WorkerLease?
    }

    let database = DatabaseHealth()
    /// What claims and settles.
    let mainLoop = Pulse()
    /// Where moves run.
    let eventLoop = Pulse()
    private let state = NIOLockedValueBox(State())

    /// The lease of now; nil while there is none.
    func holds(_ lease: WorkerLease?) {
        self.state.withLockedValue { $0.lease = lease }
    }

    func report(now: ContinuousClock.Instant = .now) -> HealthReport {
        let hasLease = self.state.withLockedValue { $0.lease }?.isCertain(now: now) ?? false
        let silence = { (pulse: Pulse) in
            pulse.hasStopped(for: Self.patience, now: now)
                ? "It has not turned for more than \(Self.patience.components.seconds) seconds." : nil
        }
        return HealthReport(
            liveness: [
                .init("main_loop", failure: silence(self.mainLoop)), .init("event_loop", failure: silence(self.eventLoop)),
            ],
            readiness: self.database.checks(now: now) + [
                .init("lease", failure: hasLease ? nil : "The worker holds no lease that is certain.")
            ]
        )
    }
}

/// When something last went round.
final class Pulse: Sendable {
    private static let origin = ContinuousClock.now
    /// Nanoseconds since the origin; 0 before the first turn, and when it has ended.
    private let turnedAt = Atomic<Int64>(0)

    func turned(now: ContinuousClock.Instant = .now) {
        self.turnedAt.store(max(1, Self.nanoseconds(now)), ordering: .relaxed)
    }

    /// It stands still for a good reason.
    func ended() {
        self.turnedAt.store(0, ordering: .relaxed)
    }

    func hasStopped(for patience: Duration, now: ContinuousClock.Instant) -> Bool {
        let turnedAt = self.turnedAt.load(ordering: .relaxed)
        return turnedAt != 0 && .nanoseconds(Self.nanoseconds(now) - turnedAt) > patience
    }

    private static func nanoseconds(_ instant: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (instant - self.origin).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
