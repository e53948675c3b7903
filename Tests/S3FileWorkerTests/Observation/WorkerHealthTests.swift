import Foundation
import Postgres
import S3FileObservability
import ServiceLifecycle
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct WorkerHealthTests {
    private func failures(_ report: HealthReport) -> [String] {
        (report.liveness + report.readiness).filter { $0.failure != nil }.map(\.name)
    }

    @Test func `a loop that stands still for too long is not live; one that has not begun, or has ended, says nothing`() {
        let health = WorkerHealth()
        let now = ContinuousClock.now
        #expect(health.report(now: now).isLive)
        health.mainLoop.turned(now: now)
        #expect(health.report(now: now + WorkerHealth.patience).isLive)
        let late = health.report(now: now + WorkerHealth.patience + .seconds(1))
        #expect(!late.isLive && late.liveness.filter { $0.failure != nil }.map(\.name) == ["main_loop"])
        health.mainLoop.ended()
        #expect(health.report(now: now + .seconds(3_600)).isLive)
    }

    @Test func `ready is who has the database, its tables and a certain lease, and does not stop`() {
        let health = WorkerHealth()
        #expect(self.failures(health.report()) == ["database", "lease"])
        let now = ContinuousClock.now
        let lease = WorkerLease(worker: 1, duration: .seconds(15), sentAt: now)
        health.database.answered()
        health.holds(lease)
        #expect(health.report().isReady)
        #expect(self.failures(health.report(now: now + .seconds(13))) == ["lease"])
        #expect(Set(self.failures(health.report(now: now + .seconds(20)))) == ["database", "lease"])
        health.database.stop()
        #expect(self.failures(health.report()) == ["stopping"])
    }

    @Test func `a pool becomes ready when it has registered, and is not while it drains or the tables are not its own`()
        async throws
    {
        try await Storeroom.with { here in
            let pool = try WorkerPool(configuration: here.connections.configuration, logger: .quiet)
            #expect(!pool.health.isReady && pool.health.isLive)
            let group = ServiceGroup(services: [pool], logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await eventually("it is ready") { pool.health.isReady }
                // As by somebody who migrated to where this version cannot follow.
                _ = try await here.queue.client.query("alter function s3file.beat rename to not_there")
                _ = try await here.queue.client.query(
                    "insert into s3file.schema_migration (version, name, checksum, breaking) values (9999, 'later', 'x', true)"
                )
                try await eventually("it says that the tables are newer", within: .seconds(40)) {
                    pool.health.readiness.contains { $0.name == "schema" && $0.failure?.isEmpty == false }
                }
                #expect(pool.health.isLive && !pool.health.isReady)
                await group.triggerGracefulShutdown()
                try await eventually("it stops") { pool.health.readiness.contains { $0.name == "stopping" && $0.failure != nil } }
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `a bucket that refuses is told until it works again, or is not asked any more`() {
        let parked = ParkedBuckets()
        let now = ContinuousClock.now
        #expect(parked.count() == 0)
        parked.refuses("a", code: "AccessDenied", now: now)
        parked.refuses("b", code: "NoSuchBucket", now: now + .seconds(200))
        #expect(parked.count(now: now + .seconds(200)) == 2)
        parked.works("c")
        parked.works("b")
        #expect(parked.count(now: now + .seconds(200)) == 1)
        #expect(parked.count(now: now + .seconds(301)) == 0)
        for number in 0..<1_000 { parked.refuses("\(number)", code: "AccessDenied", now: now) }
        #expect(parked.count(now: now) == ParkedBuckets.limit)
    }
}
