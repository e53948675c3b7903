import Synchronization

/// The buckets that refused this worker of late, and have not taken anything since.
final class ParkedBuckets: Sendable {
    /// SQL may name any bucket; beyond so many the number says enough.
    static let limit = 64
    /// A parked upload is tried again after a minute: what is not refused for longer is not asked any more.
    static let memory = Duration.seconds(300)

    private let refusedAt = Mutex<[String: ContinuousClock.Instant]>([:])
    private let hasAny = Atomic(false)

    func refuses(_ bucket: String, now: ContinuousClock.Instant = .now) {
        self.refusedAt.withLock { refusedAt in
            guard refusedAt.count < Self.limit || refusedAt[bucket] != nil else { return }
            refusedAt[bucket] = now
            self.hasAny.store(true, ordering: .relaxed)
        }
    }

    func works(_ bucket: String) {
        // Nearly always there is none.
        guard self.hasAny.load(ordering: .relaxed) else { return }
        self.refusedAt.withLock { refusedAt in
            refusedAt[bucket] = nil
            self.hasAny.store(!refusedAt.isEmpty, ordering: .relaxed)
        }
    }

    func count(now: ContinuousClock.Instant = .now) -> Int {
        self.refusedAt.withLock { refusedAt in
            refusedAt = refusedAt.filter { now - $0.value < Self.memory }
            self.hasAny.store(!refusedAt.isEmpty, ordering: .relaxed)
            return refusedAt.count
        }
    }
}
