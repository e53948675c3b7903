import Testing

@testable import Proof

@Suite struct ProofPlanTests {
    private func plan(seed: UInt64 = 7, faults: Set<Strike.Kind> = Set(Strike.Kind.allCases)) -> ProofPlan {
        ProofPlan(ProofPlan.Order(seed: seed, uploads: 600, kills: 25, minutes: 3, faults: faults))
    }

    @Test func `a plan is a function of its order`() {
        #expect(self.plan() == self.plan())
        #expect(self.plan().histories != self.plan(seed: 8).histories)
        #expect(self.plan().strikes != self.plan(seed: 8).strikes)
        let history = self.plan().histories[3]
        #expect(history.bytes(version: 1, seed: 7) == history.bytes(version: 1, seed: 7))
        #expect(history.bytes(version: 1, seed: 7) != history.bytes(version: 0, seed: 7))
        #expect(history.bytes(version: 0, seed: 7).count == history.size)
    }

    @Test func `what is drawn does not hang on the machine`() {
        var generator = SeededGenerator(seed: 0)
        // Of the published SplitMix64.
        #expect((0..<3).map { _ in generator.next() } == [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F])
    }

    @Test func `every kind of history and of strike comes, and as many kills as were ordered`() {
        let plan = self.plan()
        #expect(plan.histories.count == 600)
        #expect(Set(plan.histories.map(\.kind)) == Set(History.Kind.allCases))
        #expect(Set(plan.histories.map(\.number)).count == 600)
        #expect(plan.histories.contains { $0.size == 0 } && plan.histories.contains { $0.size > ProofPlan.largestCopy })
        #expect(Set(plan.strikes.map(\.kind)) == Set(Strike.Kind.allCases))
        #expect(plan.strikes.count { $0.kind.isKill } == 25)
        #expect(plan.strikes.count { $0.kind == .killWeb } == 5)
    }

    @Test func `only what was ordered comes`() {
        #expect(Set(self.plan(faults: [.sweep, .killWorker]).strikes.map(\.kind)) == [.sweep, .killWorker])
        #expect(self.plan(faults: []).strikes.isEmpty)
        #expect(self.plan(faults: [.killWeb]).strikes.count == 25)
        let few = ProofPlan(ProofPlan.Order(seed: 1, uploads: 50, kills: 0, minutes: 1, kinds: [.changed]))
        #expect(few.histories.allSatisfy { $0.kind == .changed && $0.size > 0 })
    }
}
