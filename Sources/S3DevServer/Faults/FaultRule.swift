/// One kind of misbehaviour, and when it happens. As text: `slow-down rate=0.1 operation=CopyObject`.
package struct FaultRule: Sendable, Hashable {
    package enum Kind: String, CaseIterable, Sendable {
        /// Waits before the request is looked at: `latency=30ms`.
        case latency
        /// Answers 503 SlowDown, and does nothing.
        case slowDown = "slow-down"
        /// Answers 503 ServiceUnavailable, and does nothing.
        case unavailable
        /// Answers 500 InternalError, and does nothing.
        case internalError = "internal-error"
        /// Answers 409, and does nothing: ConditionalRequestConflict to a conditional write, OperationAborted to anything else.
        case conflict
        /// Answers 412 PreconditionFailed, whatever the condition, and does nothing.
        case preconditionFailed = "precondition-failed"
        /// Answers 200 with an `<Error>` in its body, and does nothing.
        case errorIn200 = "error-in-200"
        /// Closes the connection, and does nothing.
        case loseRequest = "lose-request"
        /// Does what was asked, and closes the connection instead of answering.
        case loseReply = "lose-reply"
        /// Does what was asked, and closes the connection in the middle of the answer's body.
        case truncate
        /// Does what was asked, and falls silent in the middle of the answer's body: `stall=60s`, five minutes unless it is said.
        case stall
    }

    package var kind: Kind
    /// Of a latency or a stall.
    package var duration: Duration?
    /// S3's name of the operation, `CopyObject`; nil for all.
    package var operation: String?
    /// `PUT`; nil for all.
    package var method: String?
    package var bucket: String?
    /// What the key begins with.
    package var prefix: String?
    /// How likely, from 0 to 1.
    package var rate: Double?
    /// Each n-th of the requests that the rule is about.
    package var every: Int?
    /// How often at most.
    package var times: Int?

    package init(_ kind: Kind, duration: Duration? = nil) {
        self.kind = kind
        self.duration = duration
    }

    func concerns(_ request: Faults.Operation) -> Bool {
        if let operation = self.operation, operation != request.name {
            return false
        }
        if let method = self.method, method != request.method {
            return false
        }
        if let bucket = self.bucket, bucket != request.bucket {
            return false
        }
        if let prefix = self.prefix {
            return request.key?.utf8.starts(with: prefix.utf8) ?? false
        }
        return true
    }
}

// MARK: Text

extension FaultRule: CustomStringConvertible {
    /// Rules are separated by semicolons or line ends; what a rule says, by blanks or commas.
    ///
    /// - Throws: ``S3DevServerError`` that says what is not understood.
    package static func parse(_ text: String) throws(S3DevServerError) -> [FaultRule] {
        var rules: [FaultRule] = []
        for line in text.split(whereSeparator: { $0 == ";" || $0.isNewline }) {
            let words = line.split(whereSeparator: { $0 == "," || $0.isWhitespace })
            guard let first = words.first else {
                continue
            }
            var rule = try Self.kind(first)
            for word in words.dropFirst() {
                try rule.set(word)
            }
            rules.append(rule)
        }
        return rules
    }

    private static func kind(_ word: Substring) throws(S3DevServerError) -> FaultRule {
        let halves = word.split(separator: "=", maxSplits: 1)
        guard let name = halves.first, let kind = Kind(rawValue: String(name)) else {
            throw S3DevServerError(
                .configuration,
                "There is no fault '\(word)'; there are \(Kind.allCases.map(\.rawValue).joined(separator: ", "))."
            )
        }
        var rule = FaultRule(kind)
        if halves.count == 2 {
            guard kind == .latency || kind == .stall, let duration = Self.duration(halves[1]) else {
                throw S3DevServerError(
                    .configuration,
                    "'\(word)' is no fault: a duration is for latency and stall, as in latency=30ms."
                )
            }
            rule.duration = duration
        } else if kind == .latency {
            throw S3DevServerError(.configuration, "A latency needs a duration, as in latency=30ms.")
        }
        return rule
    }

    private mutating func set(_ word: Substring) throws(S3DevServerError) {
        let halves = word.split(separator: "=", maxSplits: 1)
        let value = halves.count == 2 ? String(halves[1]) : ""
        func number(in range: ClosedRange<Int>) throws(S3DevServerError) -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw S3DevServerError(.configuration, "'\(word)' needs a whole number from \(range.lowerBound) on.")
            }
            return number
        }
        switch halves.first {
        case "operation" where !value.isEmpty: self.operation = value
        case "method" where !value.isEmpty: self.method = value.uppercased()
        case "bucket" where !value.isEmpty: self.bucket = value
        case "prefix" where !value.isEmpty: self.prefix = value
        case "every": self.every = try number(in: 1...Int.max)
        case "times": self.times = try number(in: 1...Int.max)
        case "rate":
            guard let rate = Double(value), (0...1).contains(rate) else {
                throw S3DevServerError(.configuration, "'\(word)' needs a number from 0 to 1.")
            }
            self.rate = rate
        default:
            throw S3DevServerError(
                .configuration,
                "'\(word)' is not understood; a fault can have operation=, method=, bucket=, prefix=, rate=, every= and times=."
            )
        }
    }

    private static func duration(_ text: Substring) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 86_400_000 else {
            return nil
        }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        default: return nil
        }
    }

    package var description: String {
        var words = [self.kind.rawValue]
        if let duration = self.duration {
            words[0] += "=\(Int64(duration / .milliseconds(1)))ms"
        }
        for (name, value) in [
            ("operation", self.operation), ("method", self.method), ("bucket", self.bucket), ("prefix", self.prefix),
            ("rate", self.rate.map { "\($0)" }), ("every", self.every.map { "\($0)" }), ("times", self.times.map { "\($0)" }),
        ] {
            if let value {
                words.append("\(name)=\(value)")
            }
        }
        return words.joined(separator: " ")
    }
}
