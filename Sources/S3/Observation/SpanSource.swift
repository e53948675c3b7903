package import Tracing

/// Makes spans when there is a tracer to take them, and else costs nothing but the question.
package struct SpanSource: Sendable {
    /// Nil while nobody traces.
    package let tracer: (any Tracer)?

    /// - Parameter tracer: the one in force where this is made: the app bootstraps `InstrumentationSystem` before.
    package init(_ tracer: any Tracer = InstrumentationSystem.tracer) {
        self.tracer = tracer is NoOpTracer ? nil : tracer
    }

    /// Runs `operation` in a span of its own, a child of the one in force. What it throws is recorded in the span.
    package func withSpan<R, Failure: Error>(
        _ name: @autoclosure () -> String,
        ofKind kind: SpanKind = .internal,
        _ operation: ((any Span)?) async throws(Failure) -> R
    ) async throws(Failure) -> R {
        guard let tracer = self.tracer else { return try await operation(nil) }
        let span: any Span = tracer.startSpan(name(), ofKind: kind)
        defer { span.end() }
        let result: Result<R, Failure> = await InstrumentationContext.$current.withValue(span.context) {
            do throws(Failure) {
                return .success(try await operation(span))
            } catch {
                return .failure(error)
            }
        }
        if case .failure(let error) = result {
            span.recordError(error)
            span.setStatus(SpanStatus(code: .error))
        }
        return try result.get()
    }
}
