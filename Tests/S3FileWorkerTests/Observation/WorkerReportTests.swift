import Foundation
import NIOConcurrencyHelpers
import Postgres
import S3
import ServiceLifecycle
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

/// What a worker's heartbeats tell of buckets.
@Suite(.timeLimit(.minutes(2))) struct WorkerReportTests {
    /// A store that refuses this worker for as long as it shall.
    private final class RefusingWork: StoreWork {
        let refuses = NIOLockedValueBox(true)
        /// Moves take as long as this says.
        let holds = NIOLockedValueBox(false)

        func move(_ attempt: Attempt) async -> Outcome {
            while self.holds.withLockedValue({ $0 }), (try? await Task.sleep(for: .milliseconds(20))) != nil {}
            return self.refuses.withLockedValue { $0 }
                ? .parked(code: "AccessDenied", message: "No.") : .stored(etag: attempt.job.etag, versionID: nil)
        }

        func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
            (objects, nil)
        }
    }

    @Test func `a bucket that refuses is told by the next heartbeats, with its reason, until it takes something`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("x")
            let work = RefusingWork()
            var configuration = here.connections.configuration
            configuration.workerConcurrency = 7
            let pool = try WorkerPool(configuration: configuration, options: .init(), work: work, logger: .quiet)
            let group = ServiceGroup(services: [pool], logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await eventually("it is told", within: .seconds(30)) {
                    try await here.queue.overview().buckets.contains { $0.refusedBy == 1 && $0.code == "AccessDenied" }
                }
                let overview = try await here.queue.overview()
                #expect(overview.buckets.map(\.bucket) == [here.bucket])
                #expect(overview.workers.map(\.slots) == [7] && overview.workers.map(\.isDraining) == [false])
                work.refuses.withLockedValue { $0 = false }
                // It would be tried again in a minute.
                _ = try await here.queue.client.query("update s3file.job set run_at = now()")
                try await here.queue.notify()
                try await eventually("all is well", within: .seconds(30)) {
                    let isStored = try await here.queue.upload(id)?.status == .stored
                    let buckets = try await here.queue.overview().buckets
                    return isStored && buckets.allSatisfy { $0.refusedBy == 0 }
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `a worker that was asked to stop says so while it ends`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("x")
            let work = RefusingWork()
            work.refuses.withLockedValue { $0 = false }
            work.holds.withLockedValue { $0 = true }
            let pool = try WorkerPool(configuration: here.connections.configuration, options: .init(), work: work, logger: .quiet)
            let group = ServiceGroup(services: [pool], logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await eventually("it moves") { try await here.queue.upload(id)?.status == .moving }
                await group.triggerGracefulShutdown()
                try await eventually("it says so", within: .seconds(15)) {
                    try await here.queue.overview().workers.map(\.isDraining) == [true]
                }
                work.holds.withLockedValue { $0 = false }
                try await tasks.waitForAll()
            }
            #expect(try await here.queue.upload(id)?.status == .stored)
        }
    }

    @Test func `since when a bucket refuses is the first of refusals that nothing came between`() {
        let parked = ParkedBuckets()
        let now = ContinuousClock.now
        parked.refuses("a", code: "AccessDenied", now: now)
        parked.refuses("a", code: "ExpiredToken", now: now + .seconds(60))
        let all = parked.all(now: now + .seconds(61))
        #expect(all.map(\.code) == ["ExpiredToken"] && all.map(\.first) == [now])
        parked.works("a")
        parked.refuses("a", code: "AccessDenied", now: now + .seconds(120))
        #expect(parked.all(now: now + .seconds(121)).map(\.first) == [now + .seconds(120)])
    }
}
