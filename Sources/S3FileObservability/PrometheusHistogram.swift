import CoreMetrics
import Synchronization

/// How often what was recorded lay below each of some bounds, and the sum of it. Timers record nanoseconds, which are told in seconds.
///
/// One short lock, so that a reading's count is that of its buckets.
final class PrometheusHistogram: TimerHandler, RecorderHandler {
    private struct State {
        /// In each bucket alone; the last is above all bounds.
        var counts: [UInt64]
        var sum = 0.0
    }

    let place: SeriesPlace?
    let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double], place: SeriesPlace?) {
        self.bounds = bounds
        self.place = place
        self.state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }
    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        var (low, high) = (0, self.bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if value <= self.bounds[middle] { high = middle } else { low = middle + 1 }
        }
        self.state.withLock { [low] state in
            state.counts[low] &+= 1
            state.sum += value
        }
    }

    var reading: (counts: [UInt64], sum: Double) { self.state.withLock { ($0.counts, $0.sum) } }
}
