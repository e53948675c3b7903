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
        #expect(pool.attempts >= 400 && pool.preparedAttempts > 0)
    }

    @Test func `a run is a function of its seed`() async throws {
        var (one, other) = (
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60),
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60)
        )
        try await one.run(most: 400_000)
        try await other.run(most: 400_000)
        #expect((one.steps, one.attempts, one.lostLeases) == (other.steps, other.attempts, other.lostLeases))
    }

    /// bin/simulate 600
    private static let seconds = ProcessInfo.processInfo.environment["S3FILE_SIMULATE_SECONDS"].flatMap { Int($0) }

    @Test(.enabled(if: Self.seconds != nil), .timeLimit(.minutes(90)))
    func `seeds that nobody has seen before end well, too, for as long as S3FILE_SIMULATE_SECONDS says`() async throws {
        let start = ContinuousClock.now
        let end = start + .seconds(try #require(Self.seconds))
        var (runs, steps, attempts, prepared, lostLeases, refusedSettles) = (0, 0, 0, 0, 0, 0)
        while ContinuousClock.now < end {
            let seed = UInt64.random(in: 0 ... .max)
            var pool = SimulatedPool(seed: seed)
            do { try await pool.run(most: 1_000_000) } catch {
                Issue.record("\(error): seed \(seed), step \(pool.steps)")
                return
            }
            runs += 1
            steps += pool.steps
            attempts += pool.attempts
            prepared += pool.preparedAttempts
            lostLeases += pool.lostLeases
            refusedSettles += pool.refusedSettles
        }
        let rate = Int(Double(steps) / ((ContinuousClock.now - start) / .seconds(1)))
        print(
            "simulated \(runs) runs: \(steps) steps, \(rate) a second; \(attempts) attempts, \(prepared) of them prepared, "
                + "\(lostLeases) leases lost, \(refusedSettles) settles refused"
        )
    }
}
