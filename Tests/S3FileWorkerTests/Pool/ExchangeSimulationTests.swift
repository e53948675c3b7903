import Foundation
import Testing

@testable import S3FileWorker

/// The state machine of the pool under a clock and a chance of our own: what takes hours of bad luck happens in a second.
@Suite struct ExchangeSimulationTests {
    @Test(arguments: 1...12)
    func `whatever is lost, late or stopped, every job is stored, and none is begun twice under certain leases`(seed: UInt64)
        async throws
    {
        var pool = SimulatedPool(seed: seed, workers: 5, jobs: 400, failureRate: 60)
        try await pool.run(most: 400_000)
        #expect(pool.counts.attempts >= 400 && pool.counts.prepared > 0)
    }

    @Test func `a run is a function of its seed`() async throws {
        var (one, other) = (
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60),
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60)
        )
        try await one.run(most: 400_000)
        try await other.run(most: 400_000)
        #expect(one.counts == other.counts)
    }

    @Test(arguments: SimulatedPool.Flaw.allCases)
    func `a worker that gets it wrong is found`(flaw: SimulatedPool.Flaw) async throws {
        // Those that found them when this was written go first.
        for seed in [9, 351] + Array(1...500) as [UInt64] {
            var pool = SimulatedPool(seed: seed, flaw: flaw)
            do { try await pool.run(most: 1_000_000) } catch {
                print("\(flaw) is found by seed \(seed)")
                return
            }
        }
        Issue.record("\(flaw) was found by nobody")
    }

    /// bin/simulate 600
    private static let seconds = ProcessInfo.processInfo.environment["S3FILE_SIMULATE_SECONDS"]
    private static let seed = ProcessInfo.processInfo.environment["S3FILE_SIMULATE_SEED"]

    @Test(.enabled(if: Self.seed != nil))
    func `the seed that S3FILE_SIMULATE_SEED names ends well`() async throws {
        var pool = SimulatedPool(seed: try #require(Self.seed.flatMap { UInt64($0) }))
        try await pool.run(most: 1_000_000)
    }

    @Test(.enabled(if: Self.seconds != nil && Self.seed == nil), .timeLimit(.minutes(2000)))
    func `seeds that nobody has seen before end well, too, for as long as S3FILE_SIMULATE_SECONDS says`() async throws {
        let start = ContinuousClock.now
        let end = start + .seconds(try #require(Self.seconds.flatMap { Int($0) }))
        var total = Total()
        await withTaskGroup(of: Total.self) { group in
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount { group.addTask { await Self.simulate(until: end) } }
            for await part in group {
                total.runs += part.runs
                total.counts.add(part.counts)
            }
        }
        let counts = total.counts
        let rate = Int(Double(counts.steps) / ((ContinuousClock.now - start) / .seconds(1)))
        print(
            "simulated \(total.runs) runs: \(counts.steps) steps, \(rate) a second; \(counts.attempts) attempts, \(counts.prepared) of them "
                + "prepared, \(counts.lostLeases) leases lost, \(counts.refusedSettles) settles refused"
        )
        #expect(total.runs > 0)
    }

    private struct Total {
        var runs = 0
        var counts = SimulatedPool.Counts()
    }

    private static func simulate(until end: ContinuousClock.Instant) async -> Total {
        var total = Total()
        while ContinuousClock.now < end {
            let seed = UInt64.random(in: 0 ... .max)
            var pool = SimulatedPool(seed: seed)
            do { try await pool.run(most: 1_000_000) } catch {
                Issue.record("\(error): seed \(seed), step \(pool.counts.steps)")
                break
            }
            total.runs += 1
            total.counts.add(pool.counts)
        }
        return total
    }
}
