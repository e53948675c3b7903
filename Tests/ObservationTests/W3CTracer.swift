import InMemoryTracing
import Tracing

/// Keeps spans in memory, and tells them to other processes as W3C has it, which is what tracers do in production.
struct W3CTracer: Tracer {
    let spans = InMemoryTracer(
        idGenerator: .init(nextTraceID: { Self.hexadecimal(32) }, nextSpanID: { Self.hexadecimal(16) }),
        recordInjections: false,
        recordExtractions: false
    )

    private static func hexadecimal(_ count: Int) -> String {
        String((0..<count).map { _ in "123456789abcdef".randomElement() ?? "1" })
    }

    func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> InMemorySpan {
        self.spans.startSpan(
            operationName,
            context: context(),
            ofKind: kind,
            at: instant(),
            function: function,
            file: fileID,
            line: line
        )
    }

    func activeSpan(identifiedBy context: InstrumentationContext) -> InMemorySpan? {
        self.spans.activeSpan(identifiedBy: context)
    }

    func forceFlush() {}

    func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Carrier == Inject.Carrier {
        guard let span = context.inMemorySpanContext else { return }
        injector.inject("00-\(span.traceID)-\(span.spanID)-01", forKey: "traceparent", into: &carrier)
    }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout InstrumentationContext,
        using extractor: Extract
    ) where Carrier == Extract.Carrier {
        guard let text = extractor.extract(key: "traceparent", from: carrier) else { return }
        let parts = text.split(separator: "-").map(String.init)
        guard parts.count == 4 else { return }
        context.inMemorySpanContext = InMemorySpanContext(traceID: parts[1], spanID: parts[2], parentSpanID: nil)
    }
}

extension FinishedInMemorySpan {
    /// Everything that it tells, as text.
    var text: String {
        var text = "\(self.operationName) \(self.status?.message ?? "")"
        self.attributes.forEach { text += " \($0)=\($1)" }
        for event in self.events {
            text += " \(event.name)"
            event.attributes.forEach { text += " \($0)=\($1)" }
        }
        for error in self.errors { text += " \(error.error)" }
        return text
    }
}
