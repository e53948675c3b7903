extension PrometheusMetrics {
    /// The content type of ``text()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All series as they are now, in the text format 0.0.4.
    public func text() -> String {
        var text = ""
        text.reserveCapacity(64 * 1024)
        for (name, family) in self.snapshot() {
            Self.begin(name, family.kind, self.options.help[name], &text)
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                switch series {
                case .counter(let counter): Self.line(name, labels, counter.text, &text)
                case .gauge(let gauge): Self.line(name, labels, Self.number(gauge.value), &text)
                case .histogram(let histogram): Self.lines(name, labels, histogram, &text)
                }
            }
        }
        let refused = "s3file_metrics_refused_series_total"
        Self.begin(refused, .counter, self.options.help[refused], &text)
        Self.line(refused, "", self.refused.text, &text)
        if self.options.hasProcess { ProcessNumbers.read()?.write(to: &text) }
        return text
    }

    static func begin(_ name: String, _ kind: Kind, _ help: String?, _ text: inout String) {
        if let help { text += "# HELP \(name) \(MetricLabels.escaped(help, quotes: false))\n" }
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    static func line(_ name: String, _ labels: String, _ value: String, _ text: inout String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels
            text += "}"
        }
        text += " "
        text += value
        text += "\n"
    }

    private static func lines(_ name: String, _ labels: String, _ histogram: PrometheusHistogram, _ text: inout String) {
        let (counts, sum) = histogram.reading
        let separator = labels.isEmpty ? "" : ","
        var count: UInt64 = 0
        for (bound, inBucket) in zip(histogram.bounds, counts) {
            count += inBucket
            self.line(name + "_bucket", "\(labels)\(separator)le=\"\(self.number(bound))\"", "\(count)", &text)
        }
        count += counts.last ?? 0
        self.line(name + "_bucket", "\(labels)\(separator)le=\"+Inf\"", "\(count)", &text)
        self.line(name + "_sum", labels, self.number(sum), &text)
        self.line(name + "_count", labels, "\(count)", &text)
    }

    /// As Go reads a float, in which Prometheus is written.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
