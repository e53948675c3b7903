import Foundation
import Logging
import NIOCore
import Postgres
import S3
import S3DevServer
import ServiceLifecycle
import NIOConcurrencyHelpers
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct WorkerPoolTests {
    /// Runs a pool beside `body`, and stops it gracefully after.
    private func withPool(
        _ here: Storeroom,
        options: WorkerPool.Options = .init(),
        _ body: @escaping @Sendable (ServiceGroup) async throws -> Void
    ) async throws {
        try await self.withPool(
            try WorkerPool(configuration: here.connections.configuration, options: options, logger: .quiet),
            body
        )
    }

    private func withPool(_ pool: WorkerPool, _ body: @escaping @Sendable (ServiceGroup) async throws -> Void) async throws {
        let group = ServiceGroup(services: [pool], logger: .quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body(group)) } catch { result = .failure(error) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try result.get()
        }
    }

    @Test func `those who wait for news of statuses are woken`() async throws {
        try await Storeroom.with { here in
            let rings = NIOLockedValueBox(0)
            try await self.withPool(here) { _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await here.connections.listen(logger: .quiet) { rings.withLockedValue { $0 += 1 } } }
                    defer { group.cancelAll() }
                    try await eventually("it listens") { rings.withLockedValue { $0 } > 0 }
                    let before = rings.withLockedValue { $0 }
                    _ = try await here.upload("file", key: "docs/x.txt")
                    try await eventually("news") { rings.withLockedValue { $0 } > before }
                }
            }
        }
    }

    @Test func `uploads are stored, and their tmp objects deleted after that`() async throws {
        try await Storeroom.with { here in
            var ids: [UUID] = []
            for index in 0..<40 { ids.append(try await here.upload("file \(index)", key: "docs/\(index).txt")) }
            let expected = ids
            try await self.withPool(here) { _ in
                try await eventually("all are stored and nothing is left in tmp") {
                    let stored = try await here.queue.client.query(
                        "select count(*) as n from s3file.upload u where state = 2 and not exists (select from s3file.tmp_deletion)"
                    )
                    return try stored[0]["n", Int64.self] == Int64(expected.count)
                }
            }
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.isEmpty)
            for index in 0..<40 {
                let text = try await here.text(at: "docs/\(index).txt")
                #expect(text == "file \(index)")
            }
            let workers = try await here.queue.client.query("select count(*) as n from s3file.worker")[0]["n", Int64.self]
            #expect(workers == 0)
        }
    }

    @Test func `a job that is not done within the drain time goes back without costing an attempt`() async throws {
        let faults = Faults(latency: { $0.isMove ? .seconds(60) : .zero })
        try await Storeroom.with(faults: faults) { here in
            let id = try await here.upload("slow")
            var options = WorkerPool.Options()
            options.drainTimeout = .milliseconds(100)
            try await self.withPool(here, options: options) { _ in
                try await eventually("the job is moving") { try await here.queue.upload(id)?.status == .moving }
            }
            let upload = try #require(try await here.queue.upload(id))
            #expect(upload.status == .queued && upload.maxAttempts - upload.attempt == 12)
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.count == 1)
        }
    }

    @Test func `a job in flight at shutdown is finished first`() async throws {
        let faults = Faults(latency: { $0.isMove ? .seconds(1) : .zero })
        try await Storeroom.with(faults: faults) { here in
            let id = try await here.upload("in flight")
            try await self.withPool(here) { _ in
                try await eventually("the job is moving") { try await here.queue.upload(id)?.status == .moving }
            }
            let upload = try #require(try await here.queue.upload(id))
            #expect(upload.status == .stored && upload.attempt == 1)
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.isEmpty)
        }
    }

    @Test func `a worker whose lease is taken drops its results and goes on under a new one`() async throws {
        let faults = Faults(latency: { $0.isMove ? .seconds(2) : .zero })
        try await Storeroom.with(faults: faults) { here in
            let id = try await here.upload("again")
            try await self.withPool(here) { _ in
                try await eventually("the job is moving") { try await here.queue.upload(id)?.status == .moving }
                // As if this process had been stopped for longer than its lease.
                _ = try await here.queue.client.query("update s3file.worker set expires_at = now() - interval '1 minute'")
                _ = try await here.queue.reap(sinceServerStart: .zero)
                try await eventually("another lease has stored it", within: .seconds(30)) {
                    try await here.queue.upload(id)?.status == .stored
                }
            }
            let upload = try #require(try await here.queue.upload(id))
            #expect(upload.attempt == 2)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `neither the first moves nor a shutdown wait for what the store has to say of itself`() async throws {
        let faults = Faults(latency: { $0.key?.contains("/.capabilities/") == true ? .seconds(3_600) : .zero })
        try await Storeroom.with(faults: faults) { here in
            let id = try await here.upload("first")
            try await self.withPool(here) { _ in
                try await eventually("it is stored") { try await here.queue.upload(id)?.status == .stored }
            }
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.isEmpty)
        }
    }

    @Test func `a move waits for what the store honours only where it depends on it`() {
        let job = Job.sample()
        #expect(!job.dependsOnCapabilities(copyLimit: 5_000_000_000))
        var (again, large, version, parts) = (job, job, job, job)
        again.attempt = 2
        large.size = 5_000_000_001
        version.versionID = "v1"
        parts.etag = "\"00000000000000000000000000000000-2\""
        for job in [again, large, version, parts] { #expect(job.dependsOnCapabilities(copyLimit: 5_000_000_000)) }
        version.versionID = "null"
        #expect(!version.dependsOnCapabilities(copyLimit: 5_000_000_000))
    }

    @Test func `an idle pool is woken by an enqueue's notification`() async throws {
        try await Storeroom.with { here in
            var options = WorkerPool.Options()
            options.pollInterval = .seconds(300)
            try await self.withPool(here, options: options) { _ in
                let warmUp = try await here.upload("first")
                try await eventually("the pool works") {
                    try await here.queue.notify()
                    return try await here.queue.upload(warmUp)?.status == .stored
                }
                let id = try await here.upload("second")
                try await here.queue.notify()
                try await eventually("it is stored", within: .seconds(5)) { try await here.queue.upload(id)?.status == .stored }
            }
        }
    }

    @Test func `a tmp object that a crash left behind is deleted later`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("left")
            let (job, worker) = try await here.claim()
            let outcome = try await here.move(job, worker: worker)
            _ = try await here.queue.settle([(job, outcome)], worker: worker)
            // The process dies here. Another one looks.
            await TmpDeletion(
                work: S3StoreWork(connections: here.connections, options: .init(), logger: .quiet),
                queue: here.queue,
                logger: .quiet
            )
            .deleteLeftovers(olderThan: .zero)
            let tmp = try await here.keys(prefix: "tmp/")
            #expect(tmp.isEmpty)
            let left = try await here.queue.tmpObjectsLeft(olderThan: .zero, batches: 10)
            #expect(left.isEmpty)
            let upload = try #require(try await here.queue.upload(id))
            #expect(upload.status == .stored)
        }
    }

    @Test func `many small jobs in overlapping exchanges are each moved once and recorded, also when replies are lost`()
        async throws
    {
        try await Storeroom.with { here in
            let ids = try await here.enqueueUnmoved(1_500)
            let work = InstantWork()
            try await withFaultProxy(to: here.connections.configuration.databaseURL) { proxy in
                var configuration = here.connections.configuration
                configuration.databaseURL = proxy.url
                configuration.workerConcurrency = 100
                let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: .quiet)
                try await self.withPool(pool) { _ in
                    try await eventually("some are stored") { work.moved.withLockedValue { $0.count > 300 } }
                    proxy.loseReplies(toRequestsContaining: "s3file.settle", times: 2)
                    proxy.loseReplies(toRequestsContaining: "s3file.claim", times: 2)
                    try await eventually("all are stored", within: .seconds(60)) {
                        let counts = try await here.queue.client.query(
                            "select (select count(*) from s3file.upload where state = 2) as stored, (select count(*) from s3file.job) as jobs"
                        )[0]
                        return try counts["stored", Int.self] == ids.count && counts["jobs", Int.self] == 0
                    }
                }
            }
            // What was settled in a lost reply is known to the record alone.
            await TmpDeletion(work: work, queue: here.queue, logger: .quiet).deleteLeftovers(olderThan: .zero)
            let left = try await here.queue.tmpObjectsLeft(olderThan: .zero, batches: 10)
            #expect(left.isEmpty)
            // Twice only where a claim's reply was lost, and then under another attempt.
            #expect(Set(work.moved.withLockedValue { $0 }.map(\.id)) == Set(ids))
            let attempts = work.moved.withLockedValue { moved in Set(moved.map { "\($0.id) \($0.attempt)" }).count == moved.count
            }
            #expect(attempts)
        }
    }

    @Test func `notifications are heard by the URL that was given for it`() async throws {
        try await Storeroom.with { here in
            try await withFaultProxy(to: here.connections.configuration.databaseURL) { proxy in
                var configuration = here.connections.configuration
                configuration.listenURL = proxy.url
                var options = WorkerPool.Options()
                options.pollInterval = .seconds(300)
                let pool = try WorkerPool(configuration: configuration, options: options, work: InstantWork(), logger: .quiet)
                try await self.withPool(pool) { _ in
                    try await eventually("it listens") {
                        let listeners =
                            "select count(*) as n from pg_stat_activity where datname = current_database() and query like 'listen %'"
                        return try await here.queue.client.query(SQL(unescaped: listeners))[0]["n", Int.self] == 1
                    }
                    #expect(proxy.accepted == 1)
                    let id = try await here.enqueueUnmoved(1)[0]
                    try await here.queue.notify()
                    try await eventually("it is stored") { try await here.queue.upload(id)?.status == .stored }
                }
            }
        }
    }

    @Test func `an app's open transaction that has cancelled an upload while it moved holds up nothing else`() async throws {
        try await Storeroom.with { here in
            let work = LateWork(late: try await here.enqueueUnmoved(1)[0])
            var configuration = here.connections.configuration
            configuration.workerConcurrency = 2
            let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: .quiet)
            try await self.withPool(pool) { _ in
                try await eventually("it moves") { try await here.queue.upload(work.late)?.status == .moving }
                try await here.queue.client.withTransaction { transaction in
                    _ = try await transaction.query("select s3file.cancel(\(work.late))")
                    work.isOver.withLockedValue { $0 = true }
                    // More than the worker would have in hand, did it wait for one of them.
                    let others = try await here.enqueueUnmoved(60)
                    try await here.queue.notify()
                    try await eventually("the others are stored") {
                        try await here.queue.uploads(others).values.allSatisfy { $0.status == .stored }
                    }
                    #expect(try await here.queue.upload(work.late)?.status == .moving)
                }
                try await eventually("and then this one") { try await here.queue.upload(work.late)?.status == .stored }
            }
        }
    }

    @Test func `in the one slot that there is, a job is prepared while the one before it moves`() async throws {
        try await Storeroom.with { here in
            let ids = try await here.enqueueUnmoved(150)
            var configuration = here.connections.configuration
            configuration.workerConcurrency = 1
            let work = PreparingWork()
            let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: .quiet)
            try await self.withPool(pool) { _ in
                try await eventually("all are moved") { work.seen.withLockedValue { $0.moves } >= ids.count }
            }
            let seen = work.seen.withLockedValue { $0 }
            #expect(seen.most == 1)
            #expect(seen.prepared > 0 && seen.besideAMove > 0 && seen.ofAnother == 0, "\(seen)")
        }
    }

    @Test func `a pool serves only the queues that it was given`() async throws {
        try await Storeroom.with { here in
            _ = try await here.queue.client.query("select s3file.set_queue('other')")
            let mine = try await here.enqueueUnmoved(1)
            let others = try await here.enqueueUnmoved(1, placement: QueuePlacement(queue: "other"))
            var configuration = here.connections.configuration
            configuration.workerQueues = ["default"]
            let work = InstantWork()
            let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: .quiet)
            try await self.withPool(pool) { _ in
                try await eventually("mine is stored") { try await here.queue.upload(mine[0])?.status == .stored }
                try await Task.sleep(for: .milliseconds(300))
            }
            let status = try await here.queue.upload(others[0])?.status
            #expect(status == .queued)
        }
    }
}

/// There are no objects, and so none to delete.
private protocol StorelessWork: StoreWork {}

extension StorelessWork {
    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        (objects, nil)
    }
}

/// One move ends when it is told to, the others at once.
private final class LateWork: StorelessWork {
    let late: UUID
    let isOver = NIOLockedValueBox(false)

    init(late: UUID) {
        self.late = late
    }

    func move(_ attempt: Attempt) async -> Outcome {
        while attempt.job.id == self.late, !self.isOver.withLockedValue({ $0 }) {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return .givenBack }
        }
        return .stored(etag: attempt.job.etag, versionID: nil)
    }
}

/// Moves take a while, and nothing is done in S3.
private final class PreparingWork: StorelessWork {
    struct Seen {
        var (moving, most, moves) = (0, 0, 0)
        var (prepared, besideAMove, ofAnother) = (0, 0, 0)
    }

    let seen = NIOLockedValueBox(Seen())

    private func content(of attempt: Attempt) -> StoredContent {
        StoredContent(type: "text/plain", filename: "\(attempt.job.id)")
    }

    func asksFirst(_ attempt: Attempt) async -> Bool { true }

    func prepare(_ attempt: Attempt) async -> Preparation? {
        self.seen.withLockedValue { if $0.moving > 0 { $0.besideAMove += 1 } }
        return Preparation(found: .nothing, content: self.content(of: attempt), askedAt: .now)
    }

    func move(_ attempt: Attempt) async -> Outcome {
        self.seen.withLockedValue { seen in
            seen.moving += 1
            seen.moves += 1
            seen.most = max(seen.most, seen.moving)
            guard let content = attempt.preparation?.content else { return }
            seen.prepared += 1
            if content != self.content(of: attempt) { seen.ofAnother += 1 }
        }
        try? await Task.sleep(for: .milliseconds(4))
        self.seen.withLockedValue { $0.moving -= 1 }
        return .stored(etag: attempt.job.etag, versionID: nil)
    }
}

/// Everything succeeds at once, and nothing is done in S3.
private final class InstantWork: StorelessWork {
    let moved = NIOLockedValueBox<[Job]>([])

    func move(_ attempt: Attempt) async -> Outcome {
        self.moved.withLockedValue { $0.append(attempt.job) }
        return .stored(etag: attempt.job.etag, versionID: nil)
    }
}
