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

    /// A bucket that asked for fewer requests.
    package struct Slowed: Sendable, Equatable {
        package var bucket: String
        /// At a time, by now.
        package var limit: Int
        /// How many were under way at a time when it first asked.
        package var most: Int
    }

    /// By their names; those that ask for nothing are left out.
    package var slowed: [Slowed] {
        self.limiters.withLockedValue { $0 }.compactMap { bucket, limiter in
            limiter.lowered.map { Slowed(bucket: bucket, limit: $0.limit, most: $0.most) }
        }.sorted { $0.bucket < $1.bucket }
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
