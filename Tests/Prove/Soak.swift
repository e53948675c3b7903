import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Postgres
import Proof
import TestEnvironment

/// Uploads without a pause, samples all along, perhaps floods, then quiet and the verdict. What it keeps is a sample of each series every few
/// seconds and a few counters, however many uploads there are.
struct Soak: Sendable {
    let world: World
    let plan: SoakPlan
    /// Jobs that may wait before clients do.
    let backlog: Int
    let interval: Duration
    let patience: Duration

    func run() async throws -> SoakReport {
        try await eventually("all workers and the web process answer", within: .seconds(60)) {
            self.world.workers.allSatisfy { $0.process.output.contains { $0.contains("Worker registered") } }
                && self.world.web.process.output.contains { $0.contains("s3file.address=") }
        }
        // The store has one rule at most: how long a copy takes.
        try await Nemesis(self.world).setRules()
        var connections = HTTPClient.Configuration()
        connections.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 2 * self.plan.clients
        connections.httpVersion = .http1Only
        return try await HTTPClient.withHTTPClient(configuration: connections) { http in
            let load = SoakLoad(api: WebAPI(http: http, address: self.world.webAddress))
            let sampler = SoakSampler(world: self.world)
            let flood = SoakFlood(world: self.world, plan: self.plan, load: load)
            let start = ContinuousClock.now
            let end = start + .seconds(self.plan.seconds)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<self.plan.clients { group.addTask { await load.run(client: number, until: end) } }
                group.addTask { try await self.holdBack(load, until: end) }
                group.addTask { try await sampler.run(since: start, until: end, every: self.interval) }
                group.addTask { try await flood.run(since: start) }
                try await group.waitForAll()
            }
            return try await self.report(load, sampler, flood)
        }
    }

    /// Keeps clients waiting while there is enough for workers: a backlog without end would be the record's growth, and nothing that is asked here.
    private func holdBack(_ load: SoakLoad, until end: ContinuousClock.Instant) async throws {
        while ContinuousClock.now < end {
            load.isHeldBack = try await self.jobs() > self.backlog
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private func jobs() async throws -> Int {
        try await self.world.postgres.query("select count(*) as count from s3file.job")[0]["count", Int.self]
    }

    private func report(_ load: SoakLoad, _ sampler: SoakSampler, _ flood: SoakFlood) async throws -> SoakReport {
        let over = ContinuousClock.now
        // What is not over then is for the verdict to say.
        while ContinuousClock.now < over + self.patience, try await self.jobs() > 0 {
            try await Task.sleep(for: .milliseconds(250))
        }
        var told = load.told
        told.secondsUntilQuiet = (ContinuousClock.now - over) / .seconds(1)
        told.ended = sampler.ended
        let rows = try await self.world.postgres.query(
            "select status, count(*) as count from s3file.upload_status group by status"
        )
        for row in rows { told.statuses[try row["status", String.self]] = try row["count", Int.self] }
        return SoakReport(
            plan: self.plan,
            series: sampler.series,
            load: told,
            flood: self.plan.hasFlood ? flood.told : nil
        )
    }
}
