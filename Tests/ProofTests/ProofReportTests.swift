import Testing

@testable import Proof

/// A run that finds nothing proves what it has tried, and no more.
@Suite struct ProofReportTests {
    private func report(
        kinds: Set<History.Kind> = Set(History.Kind.allCases),
        evidence: Evidence = Scene().evidence,
        kills: [String: Int] = ["web": 1, "worker 1": 2],
        fired: (ProofPlan) -> [String: Int] = { _ in [:] }
    ) -> ProofReport {
        let plan = ProofPlan(.init(seed: 1, uploads: 50, kills: 3, minutes: 5, kinds: kinds))
        return ProofReport(
            plan: plan,
            evidence: evidence,
            verdict: Verdict(on: evidence),
            kills: kills,
            fired: fired(plan),
            seconds: 1,
            secondsUntilQuiet: 1
        )
    }

    @Test func `where all was tried there is no gap`() {
        let report = self.report { plan in
            // One of them could not be done; others could.
            ["sweep that failed": plan.strikes.count { $0.kind == .sweep } - 1]
        }
        #expect(report.gaps.isEmpty)
        #expect(!report.text().contains("GAP"))
    }

    @Test func `kills that nobody died of, and faults that never came, are gaps`() {
        let report = self.report(kills: ["worker 1": 2]) { plan in
            ["fill-disk that failed": plan.strikes.count { $0.kind == .fillDisk }]
        }
        #expect(report.gaps.count == 2 && report.gaps[0] == "2 of 3 kills" && report.gaps[1].hasPrefix("no fill-disk of "))
        #expect(report.text().contains("GAP        2 of 3 kills"))
    }

    @Test func `an invariant that was asked of nothing is a gap, unless the run was of chosen histories`() {
        var evidence = Scene().evidence
        (evidence.testimonies, evidence.rows, evidence.objects, evidence.events, evidence.journal) = ([], [], [], [], [])
        #expect(self.report(evidence: evidence).gaps.count >= Verdict.Invariant.allCases.count - 1)
        #expect(self.report(kinds: [.committed], evidence: evidence).gaps.isEmpty)
    }
}
