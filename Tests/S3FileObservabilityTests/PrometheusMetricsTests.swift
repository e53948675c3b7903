import CoreMetrics
import Testing
import TestEnvironment

@testable import S3FileObservability

@Suite struct PrometheusMetricsTests {
    private static func metrics(_ configure: (inout PrometheusMetrics.Options) -> Void = { _ in }) -> PrometheusMetrics {
        var options = PrometheusMetrics.Options()
        options.hasProcess = false
        options.help = ["jobs_total": "Jobs, \\ and\nlines."]
        configure(&options)
        return PrometheusMetrics(options: options)
    }

    /// The lines about one metric.
    private static func lines(_ metrics: PrometheusMetrics, _ name: String) -> [String] {
        metrics.text().split(separator: "\n").map(String.init).filter { $0.contains(name) }
    }

    @Test func `counters, gauges and timers are told as the format has them`() {
        let metrics = Self.metrics()
        let jobs = Counter(label: "jobs_total", dimensions: [("queue", "a\"b\\c\nd")], factory: metrics)
        jobs.increment()
        jobs.increment(by: 41)
        FloatingPointCounter(label: "cost", factory: metrics).increment(by: 0.25)
        Gauge(label: "depth", factory: metrics).record(2.5)
        let meter = Meter(label: "level", factory: metrics)
        meter.set(5)
        meter.decrement(by: 7.0)
        Timer(label: "wait", factory: metrics).recordMilliseconds(20)
        #expect(
            Self.lines(metrics, "jobs_total") == [
                #"# HELP jobs_total Jobs, \\ and\nlines."#, "# TYPE jobs_total counter", #"jobs_total{queue="a\"b\\c\nd"} 42"#,
            ]
        )
        #expect(Self.lines(metrics, "cost") == ["# TYPE cost_total counter", "cost_total 0.25"])
        #expect(Self.lines(metrics, "depth") == ["# TYPE depth gauge", "depth 2.5"])
        #expect(Self.lines(metrics, "level").last == "level -2")
        let wait = Self.lines(metrics, "wait_seconds")
        #expect(wait.first == "# TYPE wait_seconds histogram")
        #expect(wait.contains(#"wait_seconds_bucket{le="0.01"} 0"#) && wait.contains(#"wait_seconds_bucket{le="0.025"} 1"#))
        #expect(wait.contains(#"wait_seconds_bucket{le="+Inf"} 1"#))
        #expect(wait.suffix(2) == ["wait_seconds_sum 0.02", "wait_seconds_count 1"])
    }

    @Test func `a value on a bound is within it, one above all is counted all the same, and none is counted twice`() {
        let metrics = Self.metrics { $0.valueBounds = [1, 2] }
        let recorder = Recorder(label: "size", factory: metrics)
        for value in [1.0, 1.5, 2, 3, .infinity, .nan] { recorder.record(value) }
        #expect(
            Self.lines(metrics, "size_") == [
                #"size_bucket{le="1"} 1"#, #"size_bucket{le="2"} 3"#, #"size_bucket{le="+Inf"} 5"#, "size_sum +Inf",
                "size_count 5",
            ]
        )
    }

    @Test func `labels that no format takes become names that it does, and the order of labels says nothing`() {
        let metrics = Self.metrics()
        Counter(label: "hb.requests", dimensions: [("hb.uri", "/"), ("a", "1")], factory: metrics).increment()
        Counter(label: "hb.requests", dimensions: [("a", "1"), ("hb.uri", "/")], factory: metrics).increment()
        Counter(label: "2nd", dimensions: [("__name", "x"), ("", "y")], factory: metrics).increment()
        Timer(label: "x", dimensions: [("le", "1")], factory: metrics).recordSeconds(1)
        #expect(Self.lines(metrics, "hb_requests_total{") == [#"hb_requests_total{a="1",hb_uri="/"} 2"#])
        #expect(Self.lines(metrics, "_2nd_total{") == [#"_2nd_total{_="y",exported_name="x"} 1"#])
        #expect(Self.lines(metrics, "x_seconds_count") == [#"x_seconds_count{exported_le="1"} 1"#])
    }

    @Test func `there is an end to series, and a name has one kind; what is refused is told`() {
        let metrics = Self.metrics { $0.maximumSeries = 3 }
        let counters = (0..<5).map { Counter(label: "c", dimensions: [("n", "\($0)")], factory: metrics) }
        for counter in counters { counter.increment() }
        #expect(Self.lines(metrics, "c_total{").count == 3)
        Gauge(label: "c_total", factory: metrics).record(7)
        #expect(Self.lines(metrics, "refused_series_total").last == "s3file_metrics_refused_series_total 3")
        counters[0].destroy()
        Gauge(label: "g", factory: metrics).record(1)
        #expect(Self.lines(metrics, "g").contains("g 1"))
        #expect(!metrics.text().contains(#"n="0""#))
    }

    @Test func `what counts at the same time from many threads is all there`() async {
        let metrics = Self.metrics()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = Counter(label: "n", factory: metrics)
                    let timer = Timer(label: "t", factory: metrics)
                    let meter = Meter(label: "m", factory: metrics)
                    for _ in 0..<10_000 {
                        counter.increment()
                        timer.recordNanoseconds(500_000)
                        meter.increment(by: 0.5)
                    }
                }
            }
        }
        #expect(Self.lines(metrics, "n_total").last == "n_total 80000")
        #expect(Self.lines(metrics, "t_seconds_count").last == "t_seconds_count 80000")
        #expect(Self.lines(metrics, "m ").last { $0.hasPrefix("m ") } == "m 40000")
    }

    @Test func `Prometheus's own checker has nothing against it, whatever was counted`() async throws {
        var options = PrometheusMetrics.Options()
        options.help = ["odd_total": "x", "level": "x", "t_seconds": "x"].merging(MetricHelp.texts) { $1 }
        let metrics = PrometheusMetrics(options: options)
        for value in ["", "é文\u{1F469}", "\\", "\"", "\n", "a,b}", String(repeating: "x", count: 1_000)] {
            Counter(label: "odd", dimensions: [("value", value)], factory: metrics).increment()
        }
        for value in [Double.nan, -.infinity, .leastNonzeroMagnitude, -0.1, 1e300, 1e15, 123_456_789.5] {
            Gauge(label: "level", dimensions: [("n", "\(value)")], factory: metrics).record(value)
        }
        Timer(label: "t", factory: metrics).recordSeconds(1e9)
        #expect(try await Promtool.complaints(about: metrics.text()) == [])
        #expect(try await Promtool.complaints(about: "x{ 1\n") != [])
    }

    @Test(.enabled(if: ProcessNumbers.read() != nil)) func `the process tells its own numbers`() throws {
        let numbers = try #require(ProcessNumbers.read())
        #expect(numbers.residentBytes > 1_000_000 && numbers.virtualBytes >= numbers.residentBytes)
        #expect(numbers.openFiles > 2 && numbers.openFiles <= numbers.maximumFiles)
        #expect(numbers.startSeconds > 1_600_000_000 && numbers.cpuSeconds > 0)
    }

    /// The order of magnitude that a job of the queue may cost: its own work takes 30 µs.
    @Test func `counting is cheap`() {
        let metrics = Self.metrics()
        let counter = Counter(label: "n", factory: metrics)
        let timer = Timer(label: "t", factory: metrics)
        let clock = ContinuousClock()
        let rounds = 100_000
        let time = clock.measure {
            for _ in 0..<rounds {
                counter.increment()
                timer.recordNanoseconds(500_000)
            }
        }
        #expect(time / rounds < .microseconds(20), "\(time / rounds)")
    }
}
