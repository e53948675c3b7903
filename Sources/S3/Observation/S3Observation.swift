package import CoreMetrics
import NIOConcurrencyHelpers
import Tracing

/// What a client tells the metrics and the tracer of its requests.
///
/// Spans follow OpenTelemetry's conventions for S3: <https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/>. Keys are left out:
/// they hold the names that people gave their files.
package final class S3Observation: Sendable {
    /// How one attempt of a request ended.
    enum Outcome: String, CaseIterable {
        case ok
        /// There is no such object, upload or bucket.
        case notFound = "not_found"
        /// A condition did not hold, as was asked.
        case condition
        /// S3 refused it for another reason of the request's.
        case refused
        /// S3 asked for fewer.
        case throttled
        /// S3 failed.
        case failed
        /// No answer came.
        case unanswered
        case cancelled

        init(_ error: S3Error) {
            switch error.status {
            case _ where error.code.isThrottling(status: error.status): self = .throttled
            case 0: self = .unanswered
            case 404: self = .notFound
            case 304, 412: self = .condition
            case 400..<500: self = .refused
            default: self = .failed
            }
        }
    }

    private struct Handles {
        var time: Timer
        var counters: [Counter]
    }

    package let factory: any MetricsFactory
    let spans: SpanSource
    private let handles = NIOLockedValueBox<[Handles?]>(Array(repeating: nil, count: S3Operation.slots))
    private let retries: CodeCounters

    package init(
        factory: any MetricsFactory = MetricsSystem.factory,
        spans: SpanSource = SpanSource()
    ) {
        self.factory = factory
        self.spans = spans
        self.retries = CodeCounters(label: "s3file_s3_retries_total", factory: factory)
    }

    /// One attempt is over.
    func ended(_ operation: S3Operation, _ outcome: Outcome, since start: ContinuousClock.Instant) {
        let handles = self.handles.withLockedValue { handles in
            if let known = handles[operation.slot] { return known }
            let made = self.handles(S3Operation.label(slot: operation.slot))
            handles[operation.slot] = made
            return made
        }
        let duration = ContinuousClock.now - start
        let (seconds, attoseconds) = duration.components
        handles.time.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        handles.counters[outcome.place].increment()
    }

    /// All outcomes of an operation that was once asked for, so that the first failure is seen as a change.
    private func handles(_ operation: String) -> Handles {
        Handles(
            time: Timer(label: "s3file_s3_request_seconds", dimensions: [("operation", operation)], factory: self.factory),
            counters: Outcome.allCases.map { outcome in
                Counter(
                    label: "s3file_s3_requests_total",
                    dimensions: [("operation", operation), ("outcome", outcome.rawValue)],
                    factory: self.factory
                )
            }
        )
    }

    func repeats(_ error: S3Error, _ span: (any Span)?) {
        self.retries.increment(error.code.rawValue)
        span?.addEvent(SpanEvent(name: "retry", attributes: ["error.type": .string(error.code.rawValue)]))
    }

    // MARK: Spans

    func withSpan<R>(_ request: S3Request, _ operation: ((any Span)?) async throws -> R) async throws -> R {
        try await self.spans.withSpan("S3.\(request.operation.name)", ofKind: .client) { span in
            guard let span else { return try await operation(nil) }
            span.updateAttributes { attributes in
                attributes["rpc.system"] = "aws-api"
                attributes["rpc.service"] = "S3"
                attributes["rpc.method"] = request.operation.name
                attributes["aws.s3.bucket"] = request.bucket
            }
            do {
                return try await operation(span)
            } catch let error as S3Error {
                span.updateAttributes { attributes in
                    attributes["error.type"] = error.code.rawValue
                    if error.status != 0 { attributes["http.response.status_code"] = error.status }
                    if let id = error.requestID { attributes["aws.request_id"] = id }
                    if let id = error.hostID { attributes["aws.extended_request_id"] = id }
                }
                throw error
            }
        }
    }
}

extension S3Observation.Outcome {
    /// Its place among all.
    fileprivate var place: Int {
        switch self {
        case .ok: 0
        case .notFound: 1
        case .condition: 2
        case .refused: 3
        case .throttled: 4
        case .failed: 5
        case .unanswered: 6
        case .cancelled: 7
        }
    }
}
