/// Whether something that was measured again and again stayed where it was.
///
/// The first sixth of the run is its warm-up, and is not judged: pools fill, caches and allocators grow to what the load needs. Of the rest there
/// are two measures of growth, and neither a few wild values nor noise moves them:
/// - ``drift``: the median of the slopes between all pairs of samples (Theil and Sen), times the time that is judged. It finds what creeps.
/// - ``step``: the median of the last third less the median of the first third. It finds what rose once, and stayed.
///
/// **Flat** is what has neither of them above its allowance: see ``SoakSeries/Measure``. What is given back, as memory is after a flood, may be;
/// connections alone may not get fewer by more than that either.
package struct Flatness: Sendable, Hashable, Codable {
    /// Of the run, in the beginning.
    package static let warmUp = 1.0 / 6
    /// With fewer, nothing can be said.
    package static let fewest = 6

    /// That were judged.
    package var samples: Int
    /// The medians of the first and of the last third.
    package var start, end: Double
    /// Of the whole run, the warm-up too.
    package var maximum: Double
    package var slopePerHour: Double
    package var drift: Double
    package var allowance: Double
    package var isFlat: Bool

    package var step: Double { self.end - self.start }

    /// - Parameter seconds: how long the run was.
    package init(of series: SoakSeries, seconds: Double) {
        let begin = seconds * Self.warmUp
        let points = series.points.filter { $0.second >= begin }.sorted { $0.second < $1.second }
        let length = (points.last?.second ?? 0) - (points.first?.second ?? 0)
        let third = max(1, points.count / 3)
        let slope = Self.slope(points)
        self.samples = points.count
        self.start = Self.median(points.prefix(third).map(\.value))
        self.end = Self.median(points.suffix(third).map(\.value))
        self.maximum = series.points.map(\.value).max() ?? 0
        self.slopePerHour = slope * 3_600
        self.drift = slope * length
        self.allowance = series.measure.allowance(from: self.start)
        let growths = [self.drift, self.end - self.start]
        let most = (series.measure == .connections ? growths.map(abs) : growths).max() ?? 0
        self.isFlat = !series.isJudged || (points.count >= Self.fewest && most <= self.allowance)
    }

    /// A second; 0 of fewer than two points.
    static func slope(_ points: [SoakSeries.Point]) -> Double {
        var slopes: [Double] = []
        for (index, later) in points.enumerated() {
            for earlier in points[..<index] where later.second > earlier.second {
                slopes.append((later.value - earlier.value) / (later.second - earlier.second))
            }
        }
        return Self.median(slopes)
    }

    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

/// One thing that is measured all along, such as the memory of one process.
package struct SoakSeries: Sendable, Hashable, Codable {
    package enum Measure: String, Sendable, Hashable, Codable {
        /// Bytes that a process has in memory. It may end up 5 % above where it began, or 4 MiB where that is more: an allocator keeps what one
        /// busy moment needed. Of a process of 60 MiB a leak of 10 MiB an hour is found within an hour.
        case memory
        /// Descriptors: three more. Pools breathe by that much between one moment and another.
        case count
        /// Twenty more: the pool that cancels statements has sixteen, which start when the first one is cancelled, and stay.
        case threads
        /// Of Postgres: three more or fewer. Lost ones are no good news.
        case connections
        /// Told, and not judged.
        case other

        package func allowance(from start: Double) -> Double {
            switch self {
            case .memory: max(start * 0.05, 4_194_304)
            case .count, .connections: 3
            case .threads: 20
            case .other: .greatestFiniteMagnitude
            }
        }
    }

    package struct Point: Sendable, Hashable, Codable {
        /// Since the beginning of the load.
        package var second: Double
        package var value: Double

        package init(second: Double, value: Double) {
            self.second = second
            self.value = value
        }
    }

    /// By this name a report finds it.
    package static let jobsThatWait = "jobs that wait"

    package var name: String
    package var measure: Measure
    package var points: [Point]

    package init(_ name: String, _ measure: Measure, _ points: [Point] = []) {
        self.name = name
        self.measure = measure
        self.points = points
    }

    package var isJudged: Bool { self.measure != .other }
}
