import NIOConcurrencyHelpers

/// Whether the engine was asked to stop; whoever works for it then is told once.
final class StopRequest: Sendable {
    private struct State {
        var isRequested = false
        var exchange: Exchange?
    }

    private let state = NIOLockedValueBox(State())

    var isRequested: Bool { self.state.withLockedValue { $0.isRequested } }

    /// Drains this exchange when the request comes, or at once when it has come.
    func drains(_ exchange: Exchange) {
        let isRequested = self.state.withLockedValue { state in
            state.exchange = exchange
            return state.isRequested
        }
        if isRequested { exchange.drain() }
    }

    func request() {
        let exchange = self.state.withLockedValue { state in
            state.isRequested = true
            return state.exchange
        }
        exchange?.drain()
    }
}
