import CoreMetrics

/// What those who serve only so many requests at a time tell the metrics, as handles that are made once.
package struct PlaceMetrics: Sendable {
    /// Who asks; a label.
    package enum Kind: String, Sendable {
        /// Forms that are verified and enqueued.
        case form
        /// Requests of the page's script that are signed, or ask S3.
        case script
        /// Requests of an app in another language, to `s3file serve`.
        case app
    }

    private let taken: Gauge
    private let shed: Counter

    package init(_ kind: Kind, limit: Int, _ metrics: UploadsMetrics) {
        let dimensions = [("kind", kind.rawValue)]
        self.taken = Gauge(label: "s3file_requests", dimensions: dimensions, factory: metrics.factory)
        self.shed = Counter(label: "s3file_requests_shed_total", dimensions: dimensions, factory: metrics.factory)
        self.taken.record(0)
        Gauge(label: "s3file_requests_limit", dimensions: dimensions, factory: metrics.factory).record(limit)
    }

    package func serves(_ count: Int) {
        self.taken.record(count)
    }

    /// One was told to come again.
    package func refused() {
        self.shed.increment()
    }
}
