package import Tracing

/// The name of a span in another process, as W3C has it: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
///
/// It is kept with an upload, so that the move, which may come much later and in another process, can be found from the request that asked for
/// it, and the other way round. Of anything that is not exactly this, nothing is kept, and nothing fails for it, as the recommendation has it.
/// <https://www.w3.org/TR/trace-context/#traceparent-header>
package struct Traceparent: Sendable, Hashable, CustomStringConvertible {
    package static let header = "traceparent"

    package let description: String

    /// - Returns: nil for what is not of version 00, or has no ids.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 55, bytes[0] == UInt8(ascii: "0"), bytes[1] == UInt8(ascii: "0") else { return nil }
        for (place, byte) in bytes.enumerated() {
            switch place {
            case 2, 35, 52:
                guard byte == UInt8(ascii: "-") else { return nil }
            default:
                guard
                    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
                else { return nil }
            }
        }
        let zero = UInt8(ascii: "0")
        guard bytes[3..<35].contains(where: { $0 != zero }), bytes[36..<52].contains(where: { $0 != zero }) else { return nil }
        self.description = text
    }

    /// What logs and traces have in common.
    package var traceID: String { String(self.description.dropFirst(3).prefix(32)) }

    // MARK: Across

    /// That of the span in force; where nobody traces, the one that came with the request.
    package static var current: Traceparent? {
        guard let context = InstrumentationContext.current else { return nil }
        var carrier: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &carrier, using: DictionaryInjector())
        return carrier[Self.header].flatMap { Traceparent($0) } ?? context.received
    }

    /// Runs `operation` so that ``current`` is what a request's header says, when this process does not trace by itself.
    package static func withReceived<R>(_ header: String?, _ operation: () async throws -> R) async rethrows -> R {
        guard let received = header.flatMap({ Traceparent($0) }) else { return try await operation() }
        var context = InstrumentationContext.current ?? .topLevel
        context.received = received
        return try await InstrumentationContext.$current.withValue(context, operation: operation)
    }

    /// For a link from a span of this process.
    package func context(for instrument: any Instrument) -> InstrumentationContext {
        var context = InstrumentationContext.topLevel
        instrument.extract([Self.header: self.description], into: &context, using: DictionaryExtractor())
        return context
    }
}

private struct DictionaryInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
        carrier[key.lowercased()] = value
    }
}

private struct DictionaryExtractor: Extractor {
    func extract(key: String, from carrier: [String: String]) -> String? {
        carrier[key.lowercased()]
    }
}

private enum ReceivedKey: InstrumentationContextKey {
    typealias Value = Traceparent
    static let nameOverride: String? = "s3file-received-traceparent"
}

extension InstrumentationContext {
    fileprivate var received: Traceparent? {
        get { self[ReceivedKey.self] }
        set { self[ReceivedKey.self] = newValue }
    }
}
