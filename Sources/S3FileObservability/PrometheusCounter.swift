import CoreMetrics
import Synchronization

/// What only grows. Whole amounts, which nearly all are, cost one atomic addition.
final class PrometheusCounter: CounterHandler, FloatingPointCounterHandler {
    let place: SeriesPlace?
    private let whole = Atomic<Int64>(0)
    private let fraction = Atomic<UInt64>(0)

    init(place: SeriesPlace?) {
        self.place = place
    }

    func increment(by amount: Int64) {
        // One that went back would be read as a restart.
        guard amount > 0 else { return }
        self.whole.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fraction.add(amount)
    }

    func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.fraction.store(0, ordering: .relaxed)
    }

    var text: String {
        let whole = self.whole.load(ordering: .relaxed)
        let fraction = Double(bitPattern: self.fraction.load(ordering: .relaxed))
        return fraction == 0 ? "\(whole)" : PrometheusMetrics.number(Double(whole) + fraction)
    }
}

/// What goes up and down.
final class PrometheusGauge: MeterHandler, RecorderHandler {
    let place: SeriesPlace?
    private let bits = Atomic<UInt64>(0)

    init(place: SeriesPlace?) {
        self.place = place
    }

    var value: Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.bits.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { self.bits.add(amount) }
    func decrement(by amount: Double) { self.bits.add(-amount) }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }
}

extension Atomic<UInt64> {
    /// Adds to the number whose bits these are.
    borrowing func add(_ amount: Double) {
        var old = self.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = self.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
