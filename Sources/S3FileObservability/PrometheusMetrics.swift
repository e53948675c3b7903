public import CoreMetrics
import Synchronization

/// Metrics of this process, told in the text format that Prometheus reads: ``text()`` is what `/metrics` answers.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)   // before `Uploads` or `WorkerPool` is made, which take their handles then
/// ```
/// Any other `MetricsFactory` does as well: nothing of S3File depends on this one.
///
/// What is counted costs an atomic addition; what is timed an addition under a lock of its own. A label is made a valid name (`hb.requests` is
/// `hb_requests`), with `_total` for counters and `_seconds` for timers where it lacks that. Timers and aggregating recorders become
/// histograms with fixed bounds: ``Options``.
///
/// Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>
public final class PrometheusMetrics: MetricsFactory {
    /// How much is kept, and how finely.
    public struct Options: Sendable {
        /// How many series there may be, each combination of labels being one. What comes after is counted nowhere, but that it was is told by
        /// `s3file_metrics_refused_series_total`.
        public var maximumSeries = 10_000
        /// Upper bounds of what timers record, in seconds: ascending.
        public var secondsBounds: [Double] = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200,
        ]
        /// Upper bounds of what recorders record, which are mostly bytes: ascending.
        public var valueBounds: [Double] = [1, 1_024, 16_384, 262_144, 1_048_576, 16_777_216, 268_435_456, 4_294_967_296, 1e12]
        /// What stands after `# HELP`, by metric name.
        public var help: [String: String] = MetricHelp.texts
        /// Whether the numbers of the process itself (`process_…`) are told, where the system has them in /proc.
        public var hasProcess = true

        /// As they are in production.
        public init() {}
    }

    enum Kind: String {
        case counter, gauge, histogram
    }

    enum Series {
        case counter(PrometheusCounter)
        case gauge(PrometheusGauge)
        case histogram(PrometheusHistogram)
    }

    struct Family {
        var kind: Kind
        /// By their labels as text.
        var series: [String: Series] = [:]
    }

    private struct Registry {
        var families: [String: Family] = [:]
        var count = 0
    }

    let options: Options
    private let registry = Mutex(Registry())
    let refused = PrometheusCounter(place: nil)

    /// Metrics of which there are none yet.
    public init(options: Options = Options()) {
        self.options = options
    }

    /// What is told, by name.
    func snapshot() -> [(name: String, family: Family)] {
        self.registry.withLock { $0.families }.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    // MARK: Making

    /// The series of a name and its labels: the same each time that it is asked for.
    ///
    /// - Returns: nil when there are too many, or the name is one of another kind.
    private func series(
        _ name: String,
        _ dimensions: [(String, String)],
        _ kind: Kind,
        _ make: (SeriesPlace) -> Series
    ) -> Series? {
        let place = SeriesPlace(name: name, labels: MetricLabels.text(dimensions, isHistogram: kind == .histogram))
        return self.registry.withLock { registry in
            if let known = registry.families[name] {
                guard known.kind == kind else { return nil }
                if let series = known.series[place.labels] { return series }
            }
            guard registry.count < self.options.maximumSeries else { return nil }
            let series = make(place)
            registry.families[name, default: Family(kind: kind)].series[place.labels] = series
            registry.count += 1
            return series
        }
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> PrometheusCounter {
        let name = MetricName.valid(label, suffix: "_total")
        if case .counter(let counter) = self.series(name, dimensions, .counter, { .counter(PrometheusCounter(place: $0)) }) {
            return counter
        }
        self.refused.increment(by: Int64(1))
        return PrometheusCounter(place: nil)
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> PrometheusGauge {
        let name = MetricName.valid(label)
        if case .gauge(let gauge) = self.series(name, dimensions, .gauge, { .gauge(PrometheusGauge(place: $0)) }) { return gauge }
        self.refused.increment(by: Int64(1))
        return PrometheusGauge(place: nil)
    }

    private func histogram(
        _ label: String,
        suffix: String? = nil,
        _ dimensions: [(String, String)],
        _ bounds: [Double]
    ) -> PrometheusHistogram {
        let name = MetricName.valid(label, suffix: suffix)
        let series = self.series(name, dimensions, .histogram) { .histogram(PrometheusHistogram(bounds: bounds, place: $0)) }
        if case .histogram(let histogram) = series { return histogram }
        self.refused.increment(by: Int64(1))
        return PrometheusHistogram(bounds: bounds, place: nil)
    }

    private func forget(_ place: SeriesPlace?) {
        guard let place else { return }
        self.registry.withLock { registry in
            guard registry.families[place.name]?.series.removeValue(forKey: place.labels) != nil else { return }
            registry.count -= 1
            if registry.families[place.name]?.series.isEmpty == true { registry.families[place.name] = nil }
        }
    }

    // MARK: MetricsFactory

    /// A counter, `_total`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.counter(label, dimensions)
    }

    /// A counter of parts of things, `_total`.
    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        self.counter(label, dimensions)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions)
    }

    /// A histogram when it aggregates, and else a gauge.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return self.gauge(label, dimensions) }
        return self.histogram(label, dimensions, self.options.valueBounds)
    }

    /// A histogram of seconds, `_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.histogram(label, suffix: "_seconds", dimensions, self.options.secondsBounds)
    }

    /// It is told no more.
    public func destroyCounter(_ handler: any CounterHandler) {
        self.forget((handler as? PrometheusCounter)?.place)
    }

    /// It is told no more.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        self.forget((handler as? PrometheusCounter)?.place)
    }

    /// It is told no more.
    public func destroyMeter(_ handler: any MeterHandler) {
        self.forget((handler as? PrometheusGauge)?.place)
    }

    /// It is told no more.
    public func destroyRecorder(_ handler: any RecorderHandler) {
        self.forget((handler as? PrometheusGauge)?.place ?? (handler as? PrometheusHistogram)?.place)
    }

    /// It is told no more.
    public func destroyTimer(_ handler: any TimerHandler) {
        self.forget((handler as? PrometheusHistogram)?.place)
    }
}

/// Where a series is kept; of one that is told nowhere there is none.
struct SeriesPlace: Sendable {
    var name: String
    var labels: String
}
