import Foundation
import S3
import S3File
import Tracing

extension SpanSource {
    /// Runs one attempt in a span of its own, which is linked to the one under which the upload was enqueued: that may have ended long ago, and
    /// in another process. As a message that is processed: <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>
    func moving(_ job: Job, worker: Int64, _ move: () async -> Outcome) async -> Outcome {
        guard self.tracer != nil else { return await move() }
        return await self.withSpan("process \(job.place.queue)", ofKind: .consumer) { span in
            self.describe(span, "move", job, worker)
            let outcome = await move()
            span?.attributes["s3file.outcome"] = outcome.name
            if let code = outcome.code {
                span?.attributes["error.type"] = code
                span?.setStatus(SpanStatus(code: .error, message: code))
            }
            return outcome
        }
    }

    /// What is asked of the store for an attempt before its turn.
    func preparing(_ job: Job, worker: Int64, _ prepare: () async -> Preparation?) async -> Preparation? {
        guard self.tracer != nil else { return await prepare() }
        return await self.withSpan("prepare \(job.place.queue)", ofKind: .consumer) { span in
            self.describe(span, "prepare", job, worker)
            return await prepare()
        }
    }

    private func describe(_ span: (any Span)?, _ operation: String, _ job: Job, _ worker: Int64) {
        guard let span, let tracer = self.tracer else { return }
        if let traceparent = job.traceparent {
            span.addLink(SpanLink(context: traceparent.context(for: tracer), attributes: [:]))
        }
        span.updateAttributes { attributes in
            attributes["messaging.system"] = "s3file"
            attributes["messaging.operation.name"] = operation
            attributes["messaging.operation.type"] = "process"
            attributes["messaging.destination.name"] = job.place.queue
            attributes["messaging.message.id"] = job.id.uuidString.lowercased()
            attributes["messaging.message.body.size"] = job.size
            attributes["s3file.attempt"] = Int64(job.attempt)
            attributes["s3file.worker"] = worker
            attributes["aws.s3.bucket"] = job.bucket
        }
    }

    /// A claim that found something, after the fact: most find nothing.
    func claimed(_ count: Int, worker: Int64, since start: DefaultTracerClock.Timestamp) {
        guard let tracer = self.tracer else { return }
        let span: any Span = tracer.startSpan("claim", ofKind: .client, at: start)
        span.updateAttributes { attributes in
            attributes["messaging.system"] = "s3file"
            attributes["messaging.operation.name"] = "claim"
            attributes["messaging.operation.type"] = "receive"
            attributes["messaging.batch.message_count"] = count
            attributes["s3file.worker"] = worker
        }
        span.end()
    }
}

extension Outcome {
    fileprivate var name: String {
        switch self {
        case .stored: "stored"
        case .retry: "retry"
        case .parked: "parked"
        case .failed: "failed"
        case .givenBack: "given_back"
        }
    }
}
