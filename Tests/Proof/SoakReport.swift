/// What a soak has to say for itself, and what is wrong with it.
package struct SoakReport: Report, Sendable, Codable {
    /// What its clients did, and what is on record of it in the end.
    package struct Load: Sendable, Codable, Hashable {
        /// Uploads that were answered to be enqueued.
        package var enqueued = 0
        /// Requests whose outcome nobody told, or that were asked to come again, and that were sent once more.
        package var repeated = 0
        /// Answers that were final and should not have been, by code.
        package var refused: [String: Int] = [:]
        /// Rows by status.
        package var statuses: [String: Int] = [:]
        /// Processes that ended though nobody told them to, by name.
        package var ended: [String: Int] = [:]
        /// How long the last of them took after the load was over.
        package var secondsUntilQuiet = 0.0

        package init() {}

        package var stored: Int { self.statuses["stored", default: 0] }
    }

    /// What the floods were answered.
    package struct Flood: Sendable, Codable, Hashable {
        package var times = 0
        /// By what was asked and the status of the answer; "none" is no answer within the time that a client waits.
        package var answers: [String: [String: Int]] = [:]
        /// Refusals that did not say when to come again.
        package var withoutRetryAfter = 0
        /// What workers stored while one went on, of each.
        package var storedMeanwhile: [Int] = []

        package init() {}

        package var shed: Int { self.answers.values.reduce(0) { $0 + $1["429", default: 0] + $1["503", default: 0] } }
    }

    package struct Judged: Sendable, Codable {
        package var series: SoakSeries
        package var flatness: Flatness
    }

    package var seconds: Double
    package var workers: Int
    package var clients: Int
    package var storedPerSecond: Double
    package var load: Load
    package var flood: Flood?
    package var series: [Judged]
    /// Sentences; none is a clean run.
    package var violations: [String]

    package init(plan: SoakPlan, series: [SoakSeries], load: Load, flood: Flood?) {
        self.seconds = plan.seconds
        self.workers = plan.workers
        self.clients = plan.clients
        self.storedPerSecond = Double(load.stored) / max(1, plan.seconds + load.secondsUntilQuiet)
        self.load = load
        self.flood = flood
        self.series = series.map { Judged(series: $0, flatness: Flatness(of: $0, seconds: plan.seconds)) }
        self.violations = []
        self.violations = self.series.compactMap(Self.violation) + Self.violations(of: load) + Self.violations(of: flood)
        if series.allSatisfy({ !$0.isJudged }) { self.violations.append("nothing was measured") }
    }

    package var isClean: Bool { self.violations.isEmpty }

    // MARK: What is wrong

    private static func violation(_ judged: Judged) -> String? {
        let (series, flatness) = (judged.series, judged.flatness)
        guard !flatness.isFlat else { return nil }
        guard flatness.samples >= Flatness.fewest else {
            return "\(series.name): \(flatness.samples) samples after the warm-up, and \(Flatness.fewest) are needed"
        }
        let say = { (value: Double) in Self.said(value, series.measure) }
        return
            "\(series.name) is not flat: from \(say(flatness.start)) to \(say(flatness.end)), drift \(say(flatness.drift)), "
            + "allowed \(say(flatness.allowance))"
    }

    private static func violations(of load: Load) -> [String] {
        var violations: [String] = []
        if load.stored == 0 { violations.append("nothing was stored") }
        for (status, count) in load.statuses.sorted(by: { $0.key < $1.key }) where status != "stored" && count > 0 {
            violations.append("\(count) uploads are \(status) in the end")
        }
        // There may be more: of a request that nobody answered the record knows all the same.
        if load.stored < load.enqueued {
            violations.append("\(load.enqueued) uploads were answered to be enqueued, and \(load.stored) are stored")
        }
        for (code, count) in load.refused.sorted(by: { $0.key < $1.key }) {
            violations.append("\(count) requests were refused with \(code)")
        }
        for (name, count) in load.ended.sorted(by: { $0.key < $1.key }) { violations.append("\(name) ended \(count) times") }
        return violations
    }

    private static func violations(of flood: Flood?) -> [String] {
        guard let flood else { return [] }
        var violations: [String] = []
        for (asked, answers) in flood.answers.sorted(by: { $0.key < $1.key }) {
            for (status, count) in answers.sorted(by: { $0.key < $1.key }) where !["200", "429", "503"].contains(status) {
                violations.append("flood: \(count) of \(asked) were answered \(status)")
            }
            if answers["200", default: 0] == 0 { violations.append("flood: no \(asked) was answered 200") }
        }
        if flood.shed == 0 { violations.append("flood: nothing was shed") }
        if flood.withoutRetryAfter > 0 {
            violations.append("flood: \(flood.withoutRetryAfter) refusals did not say when to come again")
        }
        for (number, stored) in flood.storedMeanwhile.enumerated() where stored == 0 {
            violations.append("flood \(number + 1): no worker stored anything meanwhile")
        }
        if flood.times == 0 { violations.append("flood: there was none") }
        return violations
    }

    // MARK: Telling

    /// For people.
    package func text() -> String {
        var lines = [
            "soak        \(Int(self.seconds)) s, \(self.workers) workers, \(self.clients) clients",
            "stored      \(self.load.stored) of \(self.load.enqueued) enqueued, \(Self.rounded(self.storedPerSecond)) a second; "
                + "quiet after \(Int(self.load.secondsUntilQuiet)) s; \(self.load.repeated) requests sent again",
            "record      \(Self.list(self.load.statuses))\(self.waiting)",
        ]
        if let flood {
            let stored = flood.storedMeanwhile.map(String.init).joined(separator: ", ")
            lines.append("flood       \(flood.times) times; stored meanwhile: \(stored)")
            lines += flood.answers.sorted { $0.key < $1.key }.map { "            \($0.key): \(Self.list($0.value))" }
        }
        lines += ["", Self.row(["", "start", "end", "most", "an hour", ""])]
        for judged in self.series {
            let flatness = judged.flatness
            let figures = [flatness.start, flatness.end, flatness.maximum, flatness.slopePerHour]
                .map { Self.said($0, judged.series.measure) }
            let word = judged.series.isJudged ? flatness.isFlat ? "flat" : "NOT FLAT" : ""
            lines.append(Self.row([judged.series.name] + figures + [word]))
        }
        lines += [""] + self.violations.map { "violation: \($0)" }
        lines.append(self.isClean ? "Flat, and nothing is missing." : "\(self.violations.count) violations.")
        return lines.joined(separator: "\n")
    }

    /// How often workers had more to do than they did.
    private var waiting: String {
        let points = self.series.first { $0.series.name == SoakSeries.jobsThatWait }?.series.points ?? []
        return points.isEmpty ? "" : "; jobs waited in \(points.count { $0.value > 0 }) of \(points.count) samples"
    }

    private static func row(_ cells: [String]) -> String {
        let widths = [34, 12, 12, 12, 14, 0]
        let padded = zip(cells, widths).enumerated().map { index, cell in
            let space = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
            return index == 0 ? cell.0 + space : space + cell.0
        }
        return padded.joined(separator: " ")
    }

    private static func said(_ value: Double, _ measure: SoakSeries.Measure) -> String {
        measure == .memory ? "\(Self.rounded(value / 1_048_576)) MiB" : Self.rounded(value)
    }

    /// To tenths, without a zero behind the point.
    private static func rounded(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() && abs(tenths) < 1e15 ? "\(Int(tenths))" : "\(tenths)"
    }
}
