import Synchronization

/// How many requests of one kind this process serves at a time. Whoever comes when all places are taken is told so at once: in a queue everybody
/// would be late, those too whose client has gone meanwhile.
package final class RequestPlaces: Sendable {
    private let limit: Int
    private let taken = Mutex(0)
    package let metrics: PlaceMetrics

    package init(limit: Int, metrics: PlaceMetrics) {
        self.limit = limit
        self.metrics = metrics
    }

    /// Whether one more would be refused; for those who would have to be read before they need a place.
    package var isFull: Bool { self.taken.withLock { $0 >= self.limit } }

    /// `false` when none is free.
    ///
    /// - Parameter anyway: for one that cost too much already to be refused, and whose number is bounded elsewhere.
    package func take(anyway: Bool = false) -> Bool {
        self.taken.withLock { taken in
            guard anyway || taken < self.limit else { return false }
            taken += 1
            self.metrics.serves(taken)
            return true
        }
    }

    package func giveBack() {
        self.taken.withLock { taken in
            taken -= 1
            self.metrics.serves(taken)
        }
    }
}
