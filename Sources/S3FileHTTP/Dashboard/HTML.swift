import S3File

/// HTML that is put together of literals and values. A value is escaped, whatever it is; only HTML itself goes in as it is.
struct HTML: ExpressibleByStringInterpolation, Sendable, Equatable {
    private(set) var text: String

    init(stringLiteral value: String) {
        self.text = value
    }

    init(stringInterpolation: StringInterpolation) {
        self.text = stringInterpolation.text
    }

    static func + (left: HTML, right: HTML) -> HTML {
        var sum = left
        sum.text += right.text
        return sum
    }

    struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            self.text.reserveCapacity(literalCapacity + 32 * interpolationCount)
        }

        mutating func appendLiteral(_ literal: String) {
            self.text += literal
        }

        mutating func appendInterpolation(_ value: String) {
            self.text += HTMLText.escaped(value)
        }

        mutating func appendInterpolation(_ value: some BinaryInteger) {
            self.text += String(value)
        }

        mutating func appendInterpolation(_ html: HTML) {
            self.text += html.text
        }

        /// Nothing for nil.
        mutating func appendInterpolation(_ html: HTML?) {
            if let html { self.text += html.text }
        }

        mutating func appendInterpolation(_ parts: [HTML]) {
            for part in parts { self.text += part.text }
        }
    }
}
