import Foundation
import Proof
import Testing

@Suite struct SoakReportTests {
    private static let plan = SoakPlan(seconds: 3_600, workers: 2, clients: 8, hasFlood: true)

    private static func series(_ name: String, _ measure: SoakSeries.Measure = .count, value: (Double) -> Double = { _ in 8 })
        -> SoakSeries
    {
        SoakSeries(name, measure, stride(from: 0.0, to: 3_600, by: 15).map { SoakSeries.Point(second: $0, value: value($0)) })
    }

    private static let load: SoakReport.Load = {
        var load = SoakReport.Load()
        (load.enqueued, load.statuses) = (1_000, ["stored": 1_001])
        return load
    }()

    private static let flood: SoakReport.Flood = {
        var flood = SoakReport.Flood()
        flood.times = 2
        flood.answers = ["inputs": ["200": 5, "503": 4], "forms": ["200": 5, "429": 1]]
        flood.storedMeanwhile = [3, 4]
        return flood
    }()

    private func report(
        _ series: [SoakSeries] = [Self.series("web: descriptors")],
        load change: (inout SoakReport.Load) -> Void = { _ in },
        flood changeFlood: (inout SoakReport.Flood) -> Void = { _ in }
    ) -> SoakReport {
        var (load, flood) = (Self.load, Self.flood)
        change(&load)
        changeFlood(&flood)
        return SoakReport(plan: Self.plan, series: series, load: load, flood: flood)
    }

    @Test func `a run that is flat and has all that was enqueued is clean, also when the record knows of one more`() throws {
        let report = self.report()
        #expect(report.violations == [])
        #expect(report.text().contains("Flat, and nothing is missing."))
        let read = try JSONDecoder().decode(SoakReport.self, from: report.json())
        #expect(read.load == Self.load && read.series.map(\.flatness) == report.series.map(\.flatness))
    }

    @Test func `what is not flat is named, with its figures`() {
        let report = self.report([Self.series("worker 1: memory", .memory) { 6e7 + $0 * 10_000 }])
        #expect(report.violations.count == 1)
        #expect(report.violations.first?.hasPrefix("worker 1: memory is not flat: from 6") == true, "\(report.violations)")
        #expect(report.text().contains("NOT FLAT"))
    }

    @Test func `uploads that are lost, left or refused are violations, and so is a process that ended`() {
        #expect(self.report(load: { $0.statuses = ["stored": 999] }).violations.count == 1)
        #expect(self.report(load: { $0.statuses["queued"] = 1 }).violations == ["1 uploads are queued in the end"])
        #expect(self.report(load: { $0.refused["invalid_ticket"] = 1 }).violations.count == 1)
        #expect(self.report(load: { $0.ended["web"] = 1 }).violations == ["web ended 1 times"])
        #expect(self.report(load: { ($0.enqueued, $0.statuses) = (0, [:]) }).violations == ["nothing was stored"])
    }

    @Test func `a run in which nothing was measured proves nothing`() {
        #expect(self.report([Self.series("jobs", .other)]).violations == ["nothing was measured"])
    }

    @Test func `a flood must be shed by 429 or 503 with Retry-After, and nothing else, while workers store`() {
        #expect(self.report(flood: { $0.answers = ["forms": ["200": 9]] }).violations == ["flood: nothing was shed"])
        #expect(self.report(flood: { $0.answers["forms"]?["500"] = 1 }).violations == ["flood: 1 of forms were answered 500"])
        #expect(self.report(flood: { $0.answers["inputs"]?["none"] = 2 }).violations == ["flood: 2 of inputs were answered none"])
        #expect(self.report(flood: { $0.answers["inputs"] = ["503": 7] }).violations == ["flood: no inputs was answered 200"])
        #expect(self.report(flood: { $0.withoutRetryAfter = 1 }).violations.count == 1)
        #expect(
            self.report(flood: { $0.storedMeanwhile = [1, 0] }).violations == ["flood 2: no worker stored anything meanwhile"]
        )
    }

    @Test func `floods come once in the warm-up and in the middle third, a minute every five, or as long as there is time`() {
        #expect(Self.plan.floods == [150...210, 1_200...1_260, 1_500...1_560, 1_800...1_860, 2_100...2_160])
        #expect(SoakPlan(seconds: 180, workers: 1, clients: 1, hasFlood: true).floods == [7.5...22.5, 60...120])
        #expect(SoakPlan(seconds: 90, workers: 1, clients: 1, hasFlood: true).floods == [3.75...11.25, 30...60])
        #expect(SoakPlan(seconds: 90, workers: 1, clients: 1, hasFlood: false).floods == [])
    }
}
