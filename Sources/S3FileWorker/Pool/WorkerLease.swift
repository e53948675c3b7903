import NIOConcurrencyHelpers

/// One worker's right to work, as this process knows it: by the monotonic clock, from when the last good heartbeat was *sent*.
///
/// Postgres decides who lives, by its own clock. This is the other half: a process that was stopped, or has lost the database, must know by
/// itself that others may take its jobs. It is then uncertain of its lease, and begins nothing in S3 until a heartbeat has told it: the lease
/// is saved if nobody took it meanwhile, and lost if somebody did.
final class WorkerLease: Sendable {
    /// How long before the lease's end no request is started any more.
    static let margin = Duration.seconds(3)

    private struct State {
        var sentAt: ContinuousClock.Instant
        var isLost = false
        var waiters: [Int: CheckedContinuation<Void, any Error>] = [:]
        var lastWaiter = 0
    }

    let worker: Int64
    private let duration: Duration
    private let state: NIOLockedValueBox<State>

    init(worker: Int64, duration: Duration, sentAt: ContinuousClock.Instant) {
        self.worker = worker
        self.duration = duration
        self.state = NIOLockedValueBox(State(sentAt: sentAt))
    }

    /// A heartbeat that was sent then was answered well.
    func prolong(sentAt: ContinuousClock.Instant) {
        let waiters = self.state.withLockedValue { state in
            state.sentAt = max(state.sentAt, sentAt)
            return self.isCertain(state, .now) ? Self.takeWaiters(&state) : []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// A heartbeat was answered with no: for good.
    func lose() {
        let waiters = self.state.withLockedValue { state in
            state.isLost = true
            return Self.takeWaiters(&state)
        }
        for waiter in waiters { waiter.resume(throwing: LeaseLost()) }
    }

    /// Whether nobody else can have this worker's jobs.
    func isCertain(now: ContinuousClock.Instant = .now) -> Bool {
        self.state.withLockedValue { self.isCertain($0, now) }
    }

    /// Returns when a request may be started: at once while the lease is certain, else when it is again.
    ///
    /// - Throws: ``LeaseLost``, or `CancellationError`.
    func check() async throws {
        try Task.checkCancellation()
        let number: Int? = try self.state.withLockedValue { state in
            if state.isLost { throw LeaseLost() }
            if self.isCertain(state, .now) { return nil }
            state.lastWaiter += 1
            return state.lastWaiter
        }
        guard let number else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                // Decided under the lock: from here on, whoever changes the lease or cancels finds the waiter in its place.
                let decision: Result<Void, any Error>? = self.state.withLockedValue { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.isLost { return .failure(LeaseLost()) }
                    if self.isCertain(state, .now) { return .success(()) }
                    state.waiters[number] = waiter
                    return nil
                }
                if let decision { waiter.resume(with: decision) }
            }
        } onCancel: {
            self.state.withLockedValue { $0.waiters.removeValue(forKey: number) }?.resume(throwing: CancellationError())
        }
    }

    private func isCertain(_ state: State, _ now: ContinuousClock.Instant) -> Bool {
        !state.isLost && now < state.sentAt + self.duration - Self.margin
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, any Error>] {
        defer { state.waiters = [:] }
        return Array(state.waiters.values)
    }
}

/// The lease is over; what is not settled is somebody else's now.
struct LeaseLost: Error {}
