import Synchronization

/// The buckets that refused this worker of late, and have not taken anything since.
final class ParkedBuckets: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A bucket that refuses.
    struct Refusal: Sendable, Equatable {
        var bucket: String
        /// What it gave as a reason, the last time.
        var code: String
        /// Of those that nothing came between.
        var first, last: Instant
    }

    /// SQL may name any bucket; beyond so many the number says enough.
    static let limit = 64
    /// A parked upload is tried again after a minute: what is not refused for longer is not asked any more.
    static let memory = Duration.seconds(300)

    private let refusals = Mutex<[String: Refusal]>([:])
    private let hasAny = Atomic(false)

    func refuses(_ bucket: String, code: String, now: Instant = .now) {
        self.refusals.withLock { refusals in
            guard refusals.count < Self.limit || refusals[bucket] != nil else { return }
            let first = refusals[bucket]?.first ?? now
            refusals[bucket] = Refusal(bucket: bucket, code: code, first: first, last: now)
            self.hasAny.store(true, ordering: .relaxed)
        }
    }

    func works(_ bucket: String) {
        // Nearly always there is none.
        guard self.hasAny.load(ordering: .relaxed) else { return }
        self.refusals.withLock { refusals in
            refusals[bucket] = nil
            self.hasAny.store(!refusals.isEmpty, ordering: .relaxed)
        }
    }

    func count(now: Instant = .now) -> Int { self.all(now: now).count }

    /// By their names.
    func all(now: Instant = .now) -> [Refusal] {
        guard self.hasAny.load(ordering: .relaxed) else { return [] }
        return self.refusals.withLock { refusals in
            refusals = refusals.filter { now - $0.value.last < Self.memory }
            self.hasAny.store(!refusals.isEmpty, ordering: .relaxed)
            return refusals.values.sorted { $0.bucket < $1.bucket }
        }
    }
}
