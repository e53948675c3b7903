import Foundation
import NIOPosix
import Testing

@testable import S3File
@testable import S3FileWorker

/// The mover under a clock and a chance of our own, on every kind of store.
@Suite struct MoveSimulationTests {
    @Test func `whatever is lost, late, refused or changed, what is stored is what was verified, and nobody's object is touched`()
        async throws
    {
        let total = try await Self.simulate(seeds: 1...3_000)
        // Otherwise it would show little.
        #expect(total.attempts > 3_000 && total.refusedSettles > 0 && total.lateRequests > 0)
        #expect(total.stored > 1_500 && total.failed > 100)
    }

    @Test func `a run is a function of its seed`() async throws {
        let one = try await Self.simulate(seeds: 4_000...4_020)
        #expect(try await Self.simulate(seeds: 4_000...4_020) == one)
    }

    @Test(arguments: SimulatedMove.Flaw.allCases)
    func `a flaw is found`(flaw: SimulatedMove.Flaw) async throws {
        let found = try await Self.onThread { () -> UInt64? in
            (1...20_000 as ClosedRange<UInt64>).first { seed in
                do { try SimulatedMove(seed: seed, flaw: flaw).run() } catch {
                    print("\(flaw) is found by seed \(seed): \(error)")
                    return true
                }
                return false
            }
        }
        #expect(found != nil)
    }

    /// bin/simulate 600
    private static let seconds = ProcessInfo.processInfo.environment["S3FILE_SIMULATE_SECONDS"].flatMap { Int($0) }
    private static let seed = ProcessInfo.processInfo.environment["S3FILE_SIMULATE_SEED"].flatMap { UInt64($0) }

    @Test(.enabled(if: Self.seed != nil)) func `the seed that S3FILE_SIMULATE_SEED names ends well`() async throws {
        let seed = try #require(Self.seed)
        try await Self.onThread {
            let move = SimulatedMove(seed: seed)
            move.diary = ["\(move.shape)"]
            defer { for line in move.diary ?? [] { print(line) } }
            try move.run()
        }
    }

    @Test(.enabled(if: Self.seconds != nil && Self.seed == nil), .timeLimit(.minutes(2000)))
    func `seeds that nobody has seen before end well, too, for as long as S3FILE_SIMULATE_SECONDS says`() async throws {
        let start = ContinuousClock.now
        let end = start + .seconds(try #require(Self.seconds))
        let total = try await withThrowingTaskGroup(of: Total.self) { group in
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount {
                group.addTask {
                    var total = Total()
                    while ContinuousClock.now < end {
                        let first = UInt64.random(in: 0 ... .max / 2)
                        total.add(try await Self.simulate(seeds: first...first + 99))
                    }
                    return total
                }
            }
            return try await group.reduce(into: Total()) { $0.add($1) }
        }
        let rate = Int(Double(total.steps) / ((ContinuousClock.now - start) / .seconds(1)))
        print("simulated \(total.runs) moves: \(total.steps) steps, \(rate) a second; \(total)")
    }

    struct Total: Equatable {
        var runs = 0
        var steps = 0
        var attempts = 0
        var refusedSettles = 0
        var lateRequests = 0
        var stored = 0
        var failed = 0

        mutating func add(_ other: Self) {
            self.runs += other.runs
            self.steps += other.steps
            self.attempts += other.attempts
            self.refusedSettles += other.refusedSettles
            self.lateRequests += other.lateRequests
            self.stored += other.stored
            self.failed += other.failed
        }

        mutating func add(_ move: SimulatedMove) {
            self.runs += 1
            self.steps += move.steps
            self.attempts += move.attempts
            self.refusedSettles += move.refusedSettles
            self.lateRequests += move.lateRequests
            if move.row.status == .stored { self.stored += 1 } else { self.failed += 1 }
        }
    }

    struct BrokenSeed: Error {
        var seed: UInt64
        var error: any Error
    }

    private static func simulate(seeds: ClosedRange<UInt64>) async throws -> Total {
        try await self.onThread {
            var total = Total()
            for seed in seeds {
                let move = SimulatedMove(seed: seed)
                do { try move.run() } catch { throw BrokenSeed(seed: seed, error: error) }
                total.add(move)
            }
            return total
        }
    }

    /// Tasks are run from within, which is not for a thread of the concurrency pool.
    private static func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}
