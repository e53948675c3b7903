package import CoreMetrics

/// What the web side tells the metrics of forms and of those who wait, as handles that are made once.
package struct UploadsMetrics: Sendable {
    package let factory: any MetricsFactory
    let streamedForms, streamedLimit, statusWaiting, statusLimit: Gauge
    let streamedBytes: Counter

    package init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        self.streamedForms = Gauge(label: "s3file_streamed_forms", factory: factory)
        self.streamedLimit = Gauge(label: "s3file_streamed_forms_limit", factory: factory)
        self.streamedBytes = Counter(label: "s3file_streamed_bytes_total", factory: factory)
        self.statusWaiting = Gauge(label: "s3file_status_waiting", factory: factory)
        self.statusLimit = Gauge(label: "s3file_status_waiting_limit", factory: factory)
    }

    package var isUsed: Bool { !(self.factory is NOOPMetricsHandler) }
}
