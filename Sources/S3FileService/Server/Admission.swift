import S3File
import Synchronization

/// How many requests are served at a time: whoever comes when all places are taken is told so at once, for a queue would only make everybody
/// late. One key, where there are several, cannot take the places of the others.
final class Admission: Sendable {
    enum Refusal: Equatable, Sendable {
        /// All places are taken.
        case full
        /// This key has as many as one may have.
        case share
    }

    struct Places: Sendable {
        let limit: Int
        let share: Int
        private(set) var taken = 0
        private var byKey: [Int: Int] = [:]

        init(limit: Int, keys: Int) {
            self.limit = limit
            self.share = keys > 1 ? max(1, limit * 3 / 4) : limit
        }

        mutating func enter(_ key: Int) -> Refusal? {
            guard self.taken < self.limit else { return .full }
            guard self.byKey[key, default: 0] < self.share else { return .share }
            self.taken += 1
            self.byKey[key, default: 0] += 1
            return nil
        }

        mutating func leave(_ key: Int) {
            self.taken -= 1
            self.byKey[key, default: 0] -= 1
        }
    }

    private let places: Mutex<Places>
    private let metrics: PlaceMetrics?

    init(limit: Int, keys: Int, metrics: PlaceMetrics? = nil) {
        self.places = Mutex(Places(limit: limit, keys: keys))
        self.metrics = metrics
    }

    /// Serves when there is a place.
    ///
    /// - Parameters:
    ///   - key: whose request it is.
    ///   - refuse: the answer when there is none.
    func admit<R: Sendable>(
        _ key: Int,
        refuse: (Refusal) -> R,
        serve: () async throws -> R
    ) async rethrows -> R {
        if let refusal = self.change({ $0.enter(key) }) {
            self.metrics?.refused()
            return refuse(refusal)
        }
        defer { self.change { $0.leave(key) } }
        return try await serve()
    }

    private func change<R: Sendable>(_ change: (inout Places) -> R) -> R {
        self.places.withLock { places in
            defer { self.metrics?.serves(places.taken) }
            return change(&places)
        }
    }
}
