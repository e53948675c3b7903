/// How far a reader is in the table of events.
///
/// Ids are given out before the commit, so a smaller one may become visible after a larger one. What is missing in between is remembered and
/// asked for again for a minute; most of those belong to a transaction under way, the rest was rolled back or lost in a crash and never comes.
struct EventPosition: Sendable, Equatable {
    typealias Instant = ContinuousClock.Instant

    /// A transaction that takes longer than this to commit is found by the reads that need no events.
    static let longestGap = Duration.seconds(60)
    static let mostGaps = 1_000

    /// The largest id seen.
    private(set) var last: Int64
    /// Ids below it that were not seen, and since when.
    private(set) var gaps: [Int64: Instant] = [:]

    /// - Parameter ids: the newest that there are, in any order.
    init(_ ids: [Int64], now: Instant) {
        let sorted = ids.sorted()
        self.last = (sorted.first ?? 1) - 1
        self.note(sorted, now: now)
    }

    /// These were seen.
    mutating func note(_ ids: [Int64], now: Instant) {
        for id in ids.sorted() {
            if id <= self.last {
                self.gaps[id] = nil
                continue
            }
            if self.last < id - 1 {
                for missing in max(self.last + 1, id - Int64(Self.mostGaps))..<id { self.gaps[missing] = now }
            }
            self.last = id
        }
        self.gaps = self.gaps.filter { now - $0.value < Self.longestGap }
        if self.gaps.count > Self.mostGaps {
            let kept = self.gaps.keys.sorted().suffix(Self.mostGaps)
            self.gaps = Dictionary(uniqueKeysWithValues: kept.map { ($0, self.gaps[$0, default: now]) })
        }
    }
}
