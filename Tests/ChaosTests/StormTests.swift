import Foundation
import NIOConcurrencyHelpers
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File

/// Everything goes wrong at once, at random.
@Suite(.timeLimit(.minutes(5))) struct StormTests {
    private static let workers = 4

    /// A place for a worker: whoever dies there is followed by another.
    private struct Slot: Sendable {
        let program = NIOLockedValueBox<Program?>(nil)

        func send(_ signal: Int32) { self.program.withLockedValue { $0?.send(signal: signal) } }

        /// Keeps a worker running until `isOver`.
        func run(_ site: ChaosSite, databaseURL: String, until isOver: @escaping @Sendable () -> Bool) async throws {
            while !isOver() {
                try await site.withWorker(databaseURL: databaseURL) { program in
                    self.program.withLockedValue { $0 = program }
                    while !isOver(), !program.hasEnded { try await Task.sleep(for: .milliseconds(50)) }
                    self.program.withLockedValue { $0 = nil }
                    // One that is stopped would not hear that it shall end.
                    program.send(signal: SIGCONT)
                }
            }
        }
    }

    @Test func `uploads outlive killed and stopped workers, cut connections, lost replies and crashes of Postgres`() async throws
    {
        let dice = Dice()
        let faults = Faults(latency: { $0.isMove ? .milliseconds(Int.random(in: 0..<150)) : .zero })
        try await ChaosSite.onCluster(faults: faults) { site, cluster in
            try await withFaultProxy(to: cluster.url) { proxy in
                let isOver = NIOLockedValueBox(false)
                let slots = (0..<Self.workers).map { _ in Slot() }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for slot in slots {
                        group.addTask { try await slot.run(site, databaseURL: proxy.url) { isOver.withLockedValue { $0 } } }
                    }
                    let result: Result<[UUID], any Error>
                    do {
                        result = .success(try await self.storm(site, cluster, proxy, slots, dice))
                    } catch {
                        result = .failure(error)
                    }
                    // The workers that are left delete what the others stored and did not delete.
                    let verdict: Result<Void, any Error>
                    do { verdict = .success(try await site.expectAllWell(try result.get())) } catch { verdict = .failure(error) }
                    isOver.withLockedValue { $0 = true }
                    try await group.waitForAll()
                    try verdict.get()
                }
            }
        }
    }

    private func storm(
        _ site: ChaosSite,
        _ cluster: TestCluster,
        _ proxy: FaultProxy,
        _ slots: [Slot],
        _ dice: Dice
    ) async throws -> [UUID] {
        var ids = try await site.upload(800)
        try await eventually("work has begun") { try await site.storedCount() > 20 }
        let crashes = Set([dice.roll(3..<8), dice.roll(12..<17)])
        for round in 0..<20 {
            let slot = slots[dice.roll(0..<slots.count)]
            switch dice.roll(0..<6) {
            case 0, 1: slot.send(SIGKILL)
            case 2: slot.send(dice.roll(0..<2) == 0 ? SIGSTOP : SIGCONT)
            case 3: proxy.cut()
            case 4: proxy.stall()
            default: proxy.loseReplies(toRequestsContaining: dice.roll(0..<2) == 0 ? "s3file.settle" : "s3file.claim", times: 3)
            }
            if crashes.contains(round) {
                try await cluster.stop(.immediate)
                try await Task.sleep(for: .milliseconds(dice.roll(0..<1_000)))
                try await cluster.start()
            }
            ids += try await site.upload(20)
            try await Task.sleep(for: .milliseconds(dice.roll(100..<900)))
        }
        for slot in slots { slot.send(SIGCONT) }
        let count = ids.count
        let calm = ContinuousClock.now
        try await eventually("all are stored", within: .seconds(120)) { try await site.storedCount() == count }
        print("chaos: all were stored \(ContinuousClock.now - calm) after the storm")
        return ids
    }
}
