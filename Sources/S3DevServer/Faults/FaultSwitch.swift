import NIOConcurrencyHelpers

/// The rules that are in force, which can be changed while the server runs.
final class FaultSwitch: Sendable {
    private struct Entry {
        var rule: FaultRule
        var concerned = 0
        var happened = 0

        /// Whether the rule's time has come.
        mutating func happens(to request: Faults.Operation) -> Bool {
            guard self.rule.concerns(request), self.happened < self.rule.times ?? .max else {
                return false
            }
            self.concerned += 1
            if let every = self.rule.every, !self.concerned.isMultiple(of: every) {
                return false
            }
            if let rate = self.rule.rate, Double.random(in: 0..<1) >= rate {
                return false
            }
            self.happened += 1
            return true
        }
    }

    private let entries: NIOLockedValueBox<[Entry]>

    init(_ rules: [FaultRule]) {
        self.entries = NIOLockedValueBox(rules.map { Entry(rule: $0) })
    }

    func set(_ rules: [FaultRule]) {
        self.entries.withLockedValue { $0 = rules.map { Entry(rule: $0) } }
    }

    /// The rules with how often each has happened, one a line, as they are set.
    var text: String {
        self.entries.withLockedValue { entries in
            entries.map { "\($0.rule)  # \($0.happened) of \($0.concerned)\n" }.joined()
        }
    }

    /// What is to go wrong with a request: latencies add up; of anything else, the first.
    func plan(_ request: Faults.Operation) -> FaultPlan {
        self.entries.withLockedValue { entries in
            var plan = FaultPlan()
            for index in entries.indices where plan.fault == nil || entries[index].rule.kind == .latency {
                guard entries[index].happens(to: request) else {
                    continue
                }
                let rule = entries[index].rule
                if rule.kind == .latency {
                    plan.latency += rule.duration ?? .zero
                } else {
                    plan.fault = rule
                }
            }
            return plan
        }
    }
}

/// What goes wrong with one request.
struct FaultPlan: Sendable {
    var latency = Duration.zero
    var fault: FaultRule?
}
