import Foundation
import NIOConcurrencyHelpers
import Postgres
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File

/// One failure at a time, and how long it takes until work goes on. The figures are printed; what is expected leaves room for a busy machine.
@Suite(.timeLimit(.minutes(5))) struct RecoveryTests {
    /// A worker with jobs in hand, and another that is idle.
    private func withBusyAndIdleWorker(
        _ body: @escaping @Sendable (ChaosSite, _ ids: [UUID], _ busy: Program) async throws -> Void
    ) async throws {
        // A copy begun by the worker that is to be harmed takes long.
        let isSlow = NIOLockedValueBox(true)
        let begun = NIOLockedValueBox(0)
        let faults = Faults(latency: { operation in
            guard operation.isMove, isSlow.withLockedValue({ $0 }) else { return .zero }
            begun.withLockedValue { $0 += 1 }
            return .seconds(20)
        })
        try await withMigratedDatabase { _, url in
            try await ChaosSite.with(databaseURL: url, faults: faults) { site in
                try await site.withWorker { busy in
                    let ids = try await site.upload(8)
                    try await eventually("all copies have begun") { begun.withLockedValue { $0 } == ids.count }
                    isSlow.withLockedValue { $0 = false }
                    try await site.withWorker { idle in
                        _ = try await idle.line(containing: "Worker registered")
                        try await body(site, ids, busy)
                        try await site.expectAllWell(ids)
                    }
                }
            }
        }
    }

    @Test func `the jobs of a worker that was killed run again soon`() async throws {
        try await self.withBusyAndIdleWorker { site, ids, busy in
            busy.send(signal: SIGKILL)
            let killed = ContinuousClock.now
            try await eventually("all are stored", within: .seconds(60)) { try await site.storedCount() == ids.count }
            let recovery = ContinuousClock.now - killed
            print("chaos: the jobs of a killed worker were done by another after \(recovery)")
            #expect(recovery < .seconds(40))
            let attempts = try await site.number("select max(attempt)::float8 from s3file.upload")
            // At least the killed worker's and another's. A copy of the one that was killed goes on in the store; who meets it there is told 409
            // and tries again.
            #expect(attempts >= 2)
        }
    }

    @Test func `a worker that was stopped past its lease drops what it had, and goes on under another`() async throws {
        try await self.withBusyAndIdleWorker { site, ids, busy in
            let before = try await site.number("select min(id)::float8 from s3file.worker")
            busy.send(signal: SIGSTOP)
            do {
                try await eventually("another has stored all", within: .seconds(60)) { try await site.storedCount() == ids.count }
            } catch {
                busy.send(signal: SIGCONT)
                throw error
            }
            busy.send(signal: SIGCONT)
            _ = try await busy.line(containing: "lease was taken")
            try await eventually("it has registered again") {
                try await site.number("select count(*)::float8 from s3file.worker") == 2
            }
            let after = try await site.number("select min(id)::float8 from s3file.worker")
            #expect(after > before)
        }
    }

    @Test func `after a crash of Postgres the first claim comes soon`() async throws {
        let faults = Faults(latency: { $0.isMove ? .milliseconds(100) : .zero })
        try await ChaosSite.onCluster(faults: faults) { site, cluster in
            try await site.withWorker(concurrency: 4) { worker in
                let ids = try await site.upload(200)
                try await eventually("work has begun") { try await site.storedCount() > 10 }
                try await cluster.stop(.immediate)
                try await Task.sleep(for: .seconds(1))
                try await cluster.start()
                try await eventually("all are stored", within: .seconds(60)) { try await site.storedCount() == ids.count }
                let seconds = try await site.number(
                    """
                    select extract(epoch from min(at) - pg_postmaster_start_time())::float8
                      from s3file.upload_event where status = 'moving' and at > pg_postmaster_start_time()
                    """
                )
                print("chaos: the first claim came \(seconds) s after Postgres had been started again")
                #expect(seconds < 10)
                try await site.expectAllWell(ids)
            }
        }
    }

    @Test func `an outage of the database longer than a lease costs no live worker its work`() async throws {
        let begun = NIOLockedValueBox<[ContinuousClock.Instant]>([])
        let lookedAt = NIOLockedValueBox(0)
        let faults = Faults(latency: { operation in
            if operation.isMove {
                begun.withLockedValue { $0.append(.now) }
                return .seconds(4)
            }
            guard operation.method == "GET", operation.key?.hasPrefix("tmp/") == true else { return .zero }
            let number = lookedAt.withLockedValue { count in
                count += 1
                return count
            }
            // The first bytes of every other one are looked at until the lease is uncertain, and copied after that; the others are copied at once.
            return number <= 24 && number.isMultiple(of: 2) ? .seconds(14) : .zero
        })
        try await withMigratedDatabase { _, url in
            try await ChaosSite.with(databaseURL: url, faults: faults) { site in
                try await withFaultProxy(to: url) { proxy in
                    try await site.withWorker(databaseURL: proxy.url) { first in
                        try await site.withWorker(databaseURL: proxy.url) { second in
                            for worker in [first, second] { _ = try await worker.line(containing: "Worker registered") }
                            let workers = try await site.number("select sum(id)::float8 from s3file.worker")
                            var storage = StorageSettings()
                            storage.accept = ["text/plain"]
                            var ids = try await site.upload(24, storage: storage)
                            try await eventually("all are moving") { lookedAt.withLockedValue { $0 } == 24 }
                            proxy.fault = .blackHole
                            let cut = ContinuousClock.now
                            try await Task.sleep(for: .seconds(10))
                            ids += try await site.upload(3)
                            try await Task.sleep(until: cut + .seconds(20), clock: .continuous)
                            proxy.fault = .none
                            let healed = ContinuousClock.now
                            let count = ids.count
                            try await eventually("all are stored", within: .seconds(60)) { try await site.storedCount() == count }
                            print("chaos: all were stored \(ContinuousClock.now - healed) after an outage of \(healed - cut)")
                            let attempts = try await site.number("select max(attempt)::float8 from s3file.upload")
                            #expect(attempts == 1)
                            let workersAfter = try await site.number("select sum(id)::float8 from s3file.worker")
                            #expect(workersAfter == workers)
                            let uncertain = begun.withLockedValue { $0.filter { $0 > cut + .seconds(13) && $0 < healed } }
                            #expect(uncertain.isEmpty, "a copy was begun under an uncertain lease")
                            try await site.expectAllWell(ids)
                        }
                    }
                }
            }
        }
    }
}
