import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Proof
import S3
import TestEnvironment

/// A plan, carried out: histories and strikes side by side, then quiet, then the verdict.
struct Run: Sendable {
    /// Clients that are at it at the same time.
    static let mostClients = 200

    let world: World
    let plan: ProofPlan
    let patience: Duration

    func run() async throws -> ProofReport {
        let start = ContinuousClock.now
        let sentinels = try await self.putSentinels()
        let nemesis = Nemesis(self.world)
        _ = try await self.eventually("a first worker and the web process answer") {
            self.world.workers.contains { $0.process.output.contains { $0.contains("Worker registered") } }
                && self.world.web.process.output.contains { $0.contains("s3file.address=") }
        }
        try await nemesis.setRules()
        let testimonies = try await self.play(nemesis)
        try await nemesis.end()
        let calm = ContinuousClock.now
        say("calm        after \(Int((calm - start) / .seconds(1))) s; waiting until all has ended")
        let ending = Ending(world: self.world, patience: self.patience)
        let waited = await ending.wait()
        let quiet = ContinuousClock.now
        let evidence = try await ending.evidence(testimonies, sentinels, waited)
        var kills: [String: Int] = [:]
        for slot in [self.world.web] + self.world.workers where slot.process.killed > 0 {
            kills[slot.name] = slot.process.killed
        }
        return ProofReport(
            plan: self.plan,
            evidence: evidence,
            verdict: Verdict(on: evidence),
            kills: kills,
            fired: nemesis.fired,
            seconds: (ContinuousClock.now - start) / .seconds(1),
            secondsUntilQuiet: (quiet - calm) / .seconds(1)
        )
    }

    // MARK: The play

    private func play(_ nemesis: Nemesis) async throws -> [Testimony] {
        let start = ContinuousClock.now
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let strikes = self.plan.strikes
            group.addTask {
                do { try await nemesis.run(strikes, since: start) } catch is CancellationError {}
            }
            let result: Result<[Testimony], any Error>
            do { result = .success(try await self.clients(since: start)) } catch { result = .failure(error) }
            group.cancelAll()
            try await group.waitForAll()
            return try result.get()
        }
    }

    private func clients(since start: ContinuousClock.Instant) async throws -> [Testimony] {
        try await withThrowingTaskGroup(of: [Testimony].self) { group in
            var told: [Testimony] = []
            var atIt = 0
            for history in self.plan.histories {
                if atIt >= Self.mostClients, let more = try await group.next() {
                    told += more
                    atIt -= 1
                }
                try await Task.sleep(until: start + .milliseconds(history.start), clock: .continuous)
                let client = Client(
                    history: history,
                    seed: self.plan.order.seed,
                    api: WebAPI(http: self.world.http, address: self.world.webAddress),
                    postgres: self.world.postgres,
                    heard: { self.world.heard("\(history.kind.rawValue) \(history.number): \($0)") }
                )
                group.addTask { await client.run() }
                atIt += 1
            }
            for try await more in group { told += more }
            return told
        }
    }

    // MARK: Sentinels

    /// Objects that are nobody's business, beside the tmp objects, beside the stored ones and elsewhere.
    private func putSentinels() async throws -> [String: String] {
        var sentinels: [String: String] = [:]
        for key in [
            "tmp/s3fil", "tmp/s3file", "tmp/s3file-not/x", "tmp/other", "stored", "stored/", "stored/mine.bin", "elsewhere/ä",
        ] {
            let put = try await self.world.s3.putObject(
                bucket: StoreCommand.bucket,
                key: key,
                body: ByteBuffer(string: "a sentinel at \(key)"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            sentinels[key] = S3ObjectHead.bareETag(put.etag)
        }
        return sentinels
    }

    private func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        try await TestEnvironment.eventually(what, within: .seconds(60), condition)
    }
}
