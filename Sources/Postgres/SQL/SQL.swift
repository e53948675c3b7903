/// A statement and its parameters: `"select … where id = \(id)"` binds `id` as `$1`, in Postgres' binary format, and never pastes it.
///
/// Text that is not a parameter needs the loud label: `"order by \(unescaped: column)"`. Statements are composed with `\(fragment:)`.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    struct Parameter: Sendable {
        var type: PostgresType
        /// Where its bytes are in `bytes`; nil is NULL.
        var range: Range<Int>?
    }

    /// One more than there are parameters: the text before, between and after them.
    var pieces: [String]
    var parameters: [Parameter] = []
    var bytes: [UInt8] = []
    /// Interpolation cannot throw, so what cannot be sent is remembered until somebody tries.
    var refusal: PostgresError?

    package init(stringLiteral value: String) {
        self.pieces = [value]
    }

    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// A statement from a file or another source that is trusted, without parameters.
    package init(unescaped text: String) {
        self.pieces = [text]
    }

    /// The text with `$1`, `$2`, … where the parameters go.
    package var text: String {
        var text = self.pieces[0]
        for (index, piece) in self.pieces.dropFirst().enumerated() { text += "$\(index + 1)\(piece)" }
        return text
    }

    private mutating func append(text: String) {
        self.pieces[self.pieces.count - 1] += text
    }

    private mutating func bind<Value: PostgresEncodable>(_ value: Value?) {
        let start = self.bytes.count
        var range: Range<Int>?
        if let value {
            do {
                try value.encode(into: &self.bytes)
            } catch {
                var error = error
                error.message = "Parameter $\(self.parameters.count + 1): \(error.message)"
                if self.refusal == nil { self.refusal = error }
            }
            range = start..<self.bytes.count
        }
        self.parameters.append(Parameter(type: Value.postgresType, range: range))
        self.pieces.append("")
    }

    private mutating func append(_ fragment: SQL) {
        let shift = self.bytes.count
        self.append(text: fragment.pieces[0])
        self.pieces += fragment.pieces.dropFirst()
        self.bytes += fragment.bytes
        self.parameters += fragment.parameters.map { parameter in
            Parameter(type: parameter.type, range: parameter.range.map { $0.lowerBound + shift..<$0.upperBound + shift })
        }
        if self.refusal == nil { self.refusal = fragment.refusal }
    }

    package static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum.append(right)
        return sum
    }

    package struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var sql = SQL(unescaped: "")

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.sql.parameters.reserveCapacity(interpolationCount)
            self.sql.pieces.reserveCapacity(interpolationCount + 1)
        }

        package mutating func appendLiteral(_ literal: String) {
            self.sql.append(text: literal)
        }

        /// Binds a parameter; nil is NULL of the value's type.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            self.sql.bind(value)
        }

        /// Pastes text as it is. Never for anything that came from outside.
        package mutating func appendInterpolation(unescaped text: String) {
            self.sql.append(text: text)
        }

        /// Splices a part of a statement with its parameters.
        package mutating func appendInterpolation(fragment: SQL) {
            self.sql.append(fragment)
        }
    }
}

extension SQL: CustomStringConvertible {
    /// The text, never the values.
    package var description: String { self.text }
}

extension SQL {
    /// "A parameterised statement has at most 65535 parameters": the count is 16 bits on the wire.
    private static let maximumParameters = 65_535

    /// Checks what can be checked before anything is sent.
    func validate() throws(PostgresError) {
        if let refusal = self.refusal { throw refusal }
        if self.parameters.count > Self.maximumParameters {
            throw PostgresError(
                .invalidParameter,
                "A statement takes at most \(Self.maximumParameters) parameters, this one has \(self.parameters.count): pass arrays and unnest them."
            )
        }
        if self.pieces.contains(where: { $0.utf8.contains(0) }) {
            throw PostgresError(.invalidParameter, "The SQL text holds a NUL character, which Postgres cannot take.")
        }
    }

    /// The parallel arrays `PQsendQueryParams` reads; the pointers are good inside `body`.
    func withLibpqParameters<R>(
        _ body: (
            _ count: Int32, _ types: [UInt32], _ values: [UnsafePointer<CChar>?], _ lengths: [Int32], _ formats: [Int32]
        ) -> R
    ) -> R {
        let count = self.parameters.count
        // An empty value still needs an address: a null pointer would make it NULL.
        return (self.bytes.isEmpty ? [0] : self.bytes).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { buffer in
                let values = self.parameters.map { parameter in
                    parameter.range.flatMap { range in buffer.baseAddress.map { $0 + range.lowerBound } }
                }
                return body(
                    Int32(count),
                    self.parameters.map(\.type.oid),
                    values,
                    self.parameters.map { Int32($0.range?.count ?? 0) },
                    Array(repeating: 1, count: count)
                )
            }
        }
    }
}
