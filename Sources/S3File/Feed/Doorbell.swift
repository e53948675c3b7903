import NIOConcurrencyHelpers

/// Wakes the one who waits at it. Rings while nobody waits are remembered as one.
///
/// Not an `AsyncStream`: a stream ends for good when one wait is cancelled, and this must outlive many.
package final class Doorbell: Sendable {
    private enum State {
        case silent, rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = NIOLockedValueBox(State.silent)

    package init() {}

    package func ring() {
        let waiter: CheckedContinuation<Void, Never>? = self.state.withLockedValue { state in
            guard case .waiting(let waiter) = state else {
                state = .rung
                return nil
            }
            state = .silent
            return waiter
        }
        waiter?.resume()
    }

    /// Until the next ring, or cancellation. One waiter at a time.
    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let goOn = self.state.withLockedValue { state in
                    // Cancelled before it was registered: the handler below found nobody.
                    if case .silent = state, !Task.isCancelled {
                        state = .waiting(waiter)
                        return false
                    }
                    state = .silent
                    return true
                }
                if goOn { waiter.resume() }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Void, Never>? = self.state.withLockedValue { state in
                guard case .waiting(let waiter) = state else { return nil }
                state = .silent
                return waiter
            }
            waiter?.resume()
        }
    }

    /// Until the next ring or this time, or cancellation.
    package func wait(until time: ContinuousClock.Instant?) async {
        guard let time else { return await self.wait() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(until: time, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }
}
