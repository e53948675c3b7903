import HTTPTypes
import NIOCore
import NIOFoundationCompat
public import S3File
public import S3FileObservability

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What probes and Prometheus ask a process, without a framework.
///
/// An adapter mounts each of ``routes`` and sends what ``answer(_:)`` returns. Mount them where only your own network comes, and never behind a
/// login: they need none, and tell no names of files, keys or people. Nothing is asked of Postgres or S3 for an answer, so it comes at once.
public struct HealthEndpoints: Sendable {
    /// What there is to ask for; all by GET.
    public enum Route: String, Sendable, CaseIterable {
        /// 200 as long as the process works at all; 503 when it had better be begun anew.
        case live = "health/live"
        /// 200 as long as it can do its work; 503 while it starts, ends, or lacks something. Says what.
        case ready = "health/ready"
        /// The metrics, in Prometheus's text format.
        case metrics

        /// Without a slash at the front.
        public var path: String { self.rawValue }
    }

    private let reporters: [any HealthReporting]
    private let metrics: PrometheusMetrics?

    /// - Parameters:
    ///   - reporters: what the process does: `Uploads`, a `WorkerPool`, or both.
    ///   - metrics: what `MetricsSystem` was bootstrapped with; `nil` when the app tells its metrics by itself.
    public init(_ reporters: [any HealthReporting], metrics: PrometheusMetrics? = nil) {
        self.reporters = reporters
        self.metrics = metrics
    }

    /// Those that there are: without metrics no `metrics`.
    public var routes: [Route] { Route.allCases.filter { $0 != .metrics || self.metrics != nil } }

    /// The answer, at once.
    public func answer(_ route: Route) -> HTTPAnswer {
        switch route {
        case .live:
            let report = self.report
            return self.answer(report.isLive, report.liveness)
        case .ready:
            let report = self.report
            return self.answer(report.isReady, report.liveness + report.readiness)
        case .metrics:
            guard let metrics = self.metrics else { return HTTPAnswer(status: .notFound) }
            return HTTPAnswer(
                status: .ok,
                headers: [.contentType: PrometheusMetrics.contentType, .cacheControl: "no-store"],
                body: .bytes(ByteBuffer(string: metrics.text()))
            )
        }
    }

    private var report: HealthReport {
        self.reporters.reduce(HealthReport()) { $0 + $1.health }
    }

    private struct Document: Encodable {
        var status: String
        /// By name: "ok", or a sentence.
        var checks: [String: String]
    }

    private func answer(_ isWell: Bool, _ checks: [HealthReport.Check]) -> HTTPAnswer {
        let document = Document(
            status: isWell ? "ok" : "unavailable",
            // Of two that do the same, the one that fails counts.
            checks: Dictionary(checks.map { ($0.name, $0.failure ?? "ok") }) { $0 == "ok" ? $1 : $0 }
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = (try? encoder.encodeAsByteBuffer(document, allocator: ByteBufferAllocator())) ?? ByteBuffer(string: "{}")
        return HTTPAnswer(
            status: isWell ? .ok : .serviceUnavailable,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .bytes(body)
        )
    }
}
