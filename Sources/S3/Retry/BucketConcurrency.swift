import NIOConcurrencyHelpers

/// The limiters of a client's buckets.
package final class BucketConcurrency: Sendable {
    /// Above this, those that say nothing are forgotten.
    private static let kept = 256

    private let limiters = NIOLockedValueBox<[String: ConcurrencyLimiter]>([:])

    package init() {}

    /// How many requests to the bucket may be under way at a time by now; nil while the store has not asked for fewer.
    package func limit(bucket: String) -> Int? {
        self.limiters.withLockedValue { $0[bucket] }?.limit
    }

    /// How many are, and how many wait.
    package func load(bucket: String) -> (inFlight: Int, waiting: Int) {
        self.limiters.withLockedValue { $0[bucket] }?.load ?? (0, 0)
    }

    func limiter(_ bucket: String) -> ConcurrencyLimiter {
        self.limiters.withLockedValue { limiters in
            if let limiter = limiters[bucket] { return limiter }
            if limiters.count >= Self.kept { limiters = limiters.filter { !$0.value.isForgettable } }
            let limiter = ConcurrencyLimiter()
            limiters[bucket] = limiter
            return limiter
        }
    }
}
