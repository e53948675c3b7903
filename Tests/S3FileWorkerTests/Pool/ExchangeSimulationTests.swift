import Foundation
import Testing

@testable import S3FileWorker

/// The state machine of the pool under a clock and a chance of our own: what takes hours of bad luck happens in a second.
@Suite struct ExchangeSimulationTests {
    @Test(arguments: 1...12)
    func `whatever is lost, late or stopped, every job is stored, and none is begun twice under certain leases`(seed: UInt64)
        throws
    {
        var pool = SimulatedPool(seed: seed, workers: 5, jobs: 400, failureRate: 60)
        let began = ContinuousClock.now
        try pool.run(most: 400_000)
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        print(
            "simulation \(seed): \(pool.steps) steps, \(Int(Double(pool.steps) / seconds)) a second; \(pool.attempts) attempts, \(pool.preparedAttempts) of them prepared, \(pool.lostLeases) leases lost, \(pool.refusedSettles) settles refused"
        )
        #expect(pool.attempts >= 400 && pool.preparedAttempts > 0)
    }

    @Test func `a run is a function of its seed`() throws {
        var (one, other) = (
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60),
            SimulatedPool(seed: 99, workers: 3, jobs: 100, failureRate: 60)
        )
        try one.run(most: 400_000)
        try other.run(most: 400_000)
        #expect((one.steps, one.attempts, one.lostLeases) == (other.steps, other.attempts, other.lostLeases))
    }
}
