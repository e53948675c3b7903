import NIOConcurrencyHelpers

/// Lets as many requests to one bucket be under way as the store takes, and the others wait their turn.
///
/// Without complaint there is no limit. When the store answers SlowDown, 503 or 429, the limit becomes 0.7 of what was under way,
/// once for all the requests that were; with successes it grows by one for every round of as many, as congestion control does
/// (additive increase, multiplicative decrease), and is dropped when for a minute nobody had to wait for it.
final class ConcurrencyLimiter: Sendable {
    private let state: NIOLockedValueBox<ConcurrencyState>

    init(state: ConcurrencyState = ConcurrencyState()) {
        self.state = NIOLockedValueBox(state)
    }

    var limit: Int? { self.state.withLockedValue { $0.limit } }
    /// The limit, and what was under way when it was first needed; nil while there is none.
    var lowered: (limit: Int, most: Int)? {
        self.state.withLockedValue { state in state.limit.map { ($0, max(state.most, $0)) } }
    }
    var load: (inFlight: Int, waiting: Int) { self.state.withLockedValue { ($0.inFlight, $0.waiting) } }
    var isForgettable: Bool { self.state.withLockedValue { $0.limit == nil && $0.inFlight == 0 && $0.waiting == 0 } }

    /// Waits for a place; whoever gets one must give it back with ``release(_:_:)``.
    ///
    /// - Throws: `CancellationError`, or ``S3Error`` when too many wait already.
    func acquire() async throws -> ConcurrencyState.Permit {
        if let permit = self.state.withLockedValue({ $0.acquire() }) { return permit }
        let id = self.state.withLockedValue { $0.newID() }
        let turn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let turn = self.state.withLockedValue { $0.enqueue(id, continuation) }
                if let turn { continuation.resume(returning: turn) }
            }
        } onCancel: {
            self.state.withLockedValue { $0.cancel(id) }?.resume(returning: .cancelled)
        }
        self.state.withLockedValue { $0.forget(id) }
        switch turn {
        case .go(let permit):
            if Task.isCancelled {
                self.release(permit, .other)
                throw CancellationError()
            }
            return permit
        case .cancelled: throw CancellationError()
        case .refused(let waiting):
            throw S3Error(
                .tooManyWaiting,
                status: 0,
                message: "The store asked for fewer requests, and \(waiting) wait for this bucket already: send fewer at a time."
            )
        }
    }

    func release(_ permit: ConcurrencyState.Permit, _ outcome: ConcurrencyState.Outcome) {
        let next = self.state.withLockedValue { $0.release(permit, outcome, now: .now) }
        for (waiter, permit) in next { waiter.resume(returning: .go(permit)) }
    }
}
