package import CoreMetrics
import NIOConcurrencyHelpers

/// Counters by a code, made when the code first comes. What others send is not to fill the memory of whoever collects: so many codes have one
/// of their own, and what comes after, or is no code, is "other".
package final class CodeCounters: Sendable {
    package static let limit = 64

    private let label: String
    private let dimension: String
    private let factory: any MetricsFactory
    private let counters = NIOLockedValueBox<[String: Counter]>([:])

    package init(label: String, dimension: String = "code", factory: any MetricsFactory) {
        self.label = label
        self.dimension = dimension
        self.factory = factory
    }

    package func increment(_ code: String) {
        let counter = self.counters.withLockedValue { counters in
            if let counter = counters[code] { return counter }
            let code = counters.count < Self.limit && Self.isCode(code) ? code : "other"
            if let counter = counters[code] { return counter }
            let counter = Counter(label: self.label, dimensions: [(self.dimension, code)], factory: self.factory)
            counters[code] = counter
            return counter
        }
        counter.increment()
    }

    private static func isCode(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
