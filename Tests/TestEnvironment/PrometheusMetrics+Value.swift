package import S3FileObservability

extension PrometheusMetrics {
    /// The number of one series, as it stands in the text: `jobs_total{queue="default"}`.
    package func value(_ series: String) -> Double? {
        let line = self.text().split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Double($0.dropFirst(series.count + 1)) }
    }
}
