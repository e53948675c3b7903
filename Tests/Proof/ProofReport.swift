import Foundation

/// What a run has to say for itself.
package struct ProofReport: Report, Sendable, Codable {
    package struct Check: Sendable, Codable {
        package var invariant: String
        package var checked: Int
        package var violations: Int
    }

    package var seed: UInt64
    package var seconds: Double
    /// Between the end of the faults and the end of the last upload.
    package var secondsUntilQuiet: Double
    package var uploads: Int
    /// Of each kind of history.
    package var histories: [String: Int]
    /// Rows by status.
    package var statuses: [String: Int]
    package var attempts: Int
    package var mostAttempts: Int
    /// Processes that were killed.
    package var kills: [String: Int]
    /// Faults that have really happened, by those who made them happen.
    package var fired: [String: Int]
    package var checks: [Check]
    package var remarks: [String: Verdict.Remark]
    package var violations: [Verdict.Violation]
    /// What a run of all histories and all faults meant to try, and did not: it proves less than it says.
    package var gaps: [String]

    package init(
        plan: ProofPlan,
        evidence: Evidence,
        verdict: Verdict,
        kills: [String: Int],
        fired: [String: Int],
        seconds: Double,
        secondsUntilQuiet: Double
    ) {
        self.seed = plan.order.seed
        self.seconds = seconds
        self.secondsUntilQuiet = secondsUntilQuiet
        self.uploads = plan.histories.count
        self.histories = Self.counts(plan.histories.map(\.kind.rawValue))
        self.statuses = Self.counts(evidence.rows.map(\.status))
        self.attempts = evidence.events.count { $0.status == "moving" }
        self.mostAttempts = evidence.rows.map(\.attempt).max() ?? 0
        self.kills = kills
        self.fired = fired
        self.checks = Verdict.Invariant.allCases.map { invariant in
            Check(
                invariant: invariant.rawValue,
                checked: verdict.checked[invariant] ?? 0,
                violations: verdict.violations.count { $0.invariant == invariant }
            )
        }
        self.remarks = verdict.remarks
        self.violations = verdict.violations
        self.gaps = Self.gaps(plan, self.checks, kills, fired)
    }

    private static func gaps(_ plan: ProofPlan, _ checks: [Check], _ kills: [String: Int], _ fired: [String: Int]) -> [String] {
        // Whoever chose some knows what is left out.
        guard plan.order.kinds == Set(History.Kind.allCases), plan.order.faults == Set(Strike.Kind.allCases) else { return [] }
        var gaps = checks.filter { $0.checked == 0 }.map { "nothing was there to be asked: \($0.invariant)" }
        let planned = plan.strikes.count { $0.kind.isKill }
        let killed = kills.values.reduce(0, +)
        if killed < planned { gaps.append("\(killed) of \(planned) kills") }
        for (kind, times) in Self.counts(plan.strikes.map(\.kind.rawValue)).sorted(by: { $0.key < $1.key })
        where fired["\(kind) that failed", default: 0] == times {
            gaps.append("no \(kind) of \(times)")
        }
        return gaps
    }

    private static func counts(_ names: [String]) -> [String: Int] {
        names.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// For people. At most `most` violations are told at length.
    package func text(most: Int = 5) -> String {
        var lines = [
            "seed        \(self.seed)",
            "time        \(Int(self.seconds)) s; quiet \(Int(self.secondsUntilQuiet)) s after the last fault",
            "histories   \(self.uploads): \(Self.list(self.histories))",
            "record      \(Self.list(self.statuses)); \(self.attempts) attempts, at most \(self.mostAttempts) of one upload",
            "kills       \(Self.list(self.kills))",
            "fired       \(Self.list(self.fired))",
        ]
        if !self.remarks.isEmpty { lines.append("remarks     \(Self.list(self.remarks.mapValues(\.count)))") }
        lines.append("")
        for check in self.checks {
            let mark = check.violations > 0 ? "VIOLATED" : check.checked > 0 ? "holds" : "NOT ASKED"
            lines.append(
                "\(mark.padding(toLength: 10, withPad: " ", startingAt: 0)) \(check.invariant): "
                    + "\(check.checked) checked\(check.violations > 0 ? ", \(check.violations) violations" : "")"
            )
        }
        for violation in self.violations.prefix(most) {
            lines += ["", "violation: \(violation.invariant.rawValue)", "  \(violation.about): \(violation.what)"]
            lines += violation.trace.map { "    \($0)" }
        }
        if self.violations.count > most { lines.append("… and \(self.violations.count - most) more") }
        lines += self.gaps.map { "GAP        \($0)" }
        lines += ["", self.violations.isEmpty ? "No violation." : "\(self.violations.count) violations."]
        return lines.joined(separator: "\n")
    }
}
