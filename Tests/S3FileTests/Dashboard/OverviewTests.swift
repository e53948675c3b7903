import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

extension UploadQueue {
    /// New uploads, each of which ends like this.
    @discardableResult
    func end(_ count: Int, _ outcome: Outcome, worker: Int64, owner: String = "user-42") async throws -> [UUID] {
        _ = try await self.enqueue((0..<count).map { _ in .example(owner: owner) })
        let jobs = try await self.claim(worker: worker, room: count)
        _ = try await self.settle(jobs.map { ($0, outcome) }, worker: worker)
        return jobs.map(\.id)
    }

    static let stored = Outcome.stored(etag: "\"e\"", versionID: nil)
    static let denied = Outcome.failed(code: "AccessDenied", message: "Access Denied.")
    static let slow = Outcome.retry(code: "SlowDown", message: "Please reduce your request rate.", delay: .seconds(600))
}

/// How everything stands, as the dashboard shows it first.
@Suite struct OverviewTests {
    @Test func `where nothing was ever uploaded there is nothing to tell but the queue`() async throws {
        try await withMigratedDatabase { client, _ in
            let overview = try await UploadQueue(client: client).overview()
            #expect(overview.queues.map(\.queue) == ["default"])
            #expect(overview.failures.isEmpty && overview.buckets.isEmpty && overview.workers.isEmpty)
            #expect(overview.rates.stored == Array(repeating: 0, count: UploadQueue.ratedMinutes))
            #expect(overview.rates.covers == 600 && overview.rates.sampled == 0 && overview.rates.median == nil)
        }
    }

    @Test func `what was stored and failed is counted by the minute, and how long it took by the newest`() async throws {
        try await withQueue { queue, worker in
            try await queue.end(4, UploadQueue.stored, worker: worker)
            try await queue.end(3, UploadQueue.denied, worker: worker)
            // All of that was three minutes ago, and each took a second longer than the one before.
            _ = try await queue.client.query("update s3file.event set at = at - interval '190 seconds'")
            _ = try await queue.client.query(
                """
                update s3file.upload u set created_at = u.finished_at - n.nth * interval '1 second', size = n.nth * 100
                  from (select id, row_number() over (order by id) as nth from s3file.upload where state = 2) n where n.id = u.id
                """
            )
            try await queue.end(2, UploadQueue.denied, worker: worker)
            let rates = try await queue.overview().rates
            #expect(rates.stored == [0, 0, 0, 4, 0, 0, 0, 0, 0, 0])
            #expect(rates.failed == [2, 0, 0, 3, 0, 0, 0, 0, 0, 0])
            #expect(rates.sampled == 4 && rates.meanSize == 250)
            #expect(rates.median == 2.5 && abs((rates.p95 ?? 0) - 3.85) < 0.001)
        }
    }

    @Test func `of more events than are looked through it is said how far back the numbers reach`() async throws {
        try await withQueue { queue, worker in
            try await queue.end(1, UploadQueue.stored, worker: worker)
            _ = try await queue.client.query("update s3file.event set at = at - interval '5 minutes'")
            try await queue.end(1, UploadQueue.stored, worker: worker)
            let row = try await queue.client.query("select stored, covers from s3file.rates(at_most => 3)")[0]
            #expect(try row["covers", Double.self] > 299 && row["covers", Double.self] < 330)
            #expect(try row["stored", [Int64].self].reduce(0, +) == 2)
        }
    }

    @Test func `what goes wrong is grouped by its code: failed, to be tried again, and the newest of each`() async throws {
        try await withQueue { queue, worker in
            try await queue.end(3, UploadQueue.denied, worker: worker)
            let newest = try await queue.end(1, .failed(code: "AccessDenied", message: "The last word."), worker: worker)
            try await queue.end(2, UploadQueue.slow, worker: worker)
            try await queue.end(5, UploadQueue.stored, worker: worker)
            // What nobody claimed, and a hold that was given up, are no failures.
            _ = try await queue.expire(tmpBucket: "media", objects: [("tmp/s3file/f/old", 1, "\"e\"")])
            let held = try await queue.enqueue([.example()], hold: .seconds(60))
            try await queue.cancelHeld(held.map(\.id))

            let failures = try await queue.overview().failures
            #expect(failures.map(\.code) == ["AccessDenied", "SlowDown"])
            #expect(failures.map(\.failed) == [4, 0] && failures.map(\.trying) == [0, 2])
            #expect(failures[0].newest == newest[0] && failures[0].message == "The last word." && !failures[0].isRetryable)
            #expect(failures[1].isRetryable && failures.allSatisfy(\.isWhole))
            let few = try await queue.client.query("select failed, is_whole from s3file.failures(at_most => 3)")[0]
            #expect(try few["failed", Int64.self] == 3 && !(few["is_whole", Bool.self]))
        }
    }

    @Test func `an end without an error is an update in place, as before: no index holds what it changes`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue((0..<20).map { _ in .example() })
            let jobs = try await queue.claim(worker: worker, room: 20)
            let settle = UploadQueue.settleStatement(jobs.map { ($0, UploadQueue.stored) }, worker: worker)
            let (updates, hot) = try await queue.client.withTransaction { transaction in
                _ = try await transaction.query(settle)
                let row = try await transaction.query(
                    "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relid = 's3file.upload'::regclass"
                )[0]
                return (try row["n_tup_upd", Int64.self], try row["n_tup_hot_upd", Int64.self])
            }
            #expect(updates == 20 && hot == updates)
        }
    }

    @Test func `all that have failed with one error are queued again, and nothing else is`() async throws {
        try await withQueue { queue, worker in
            let denied = try await queue.end(7, UploadQueue.denied, worker: worker)
            let other = try await queue.end(2, .failed(code: "NoSuchKey", message: "Gone."), worker: worker)
            let waiting = try await queue.end(
                1,
                .retry(code: "AccessDenied", message: "Later.", delay: .seconds(600)),
                worker: worker
            )
            _ = try await queue.client.query("update s3file.upload set tmp_deleted = true where id = \(denied[0])")

            let result = try await queue.retryFailed(code: "AccessDenied")
            #expect(result == UploadQueue.RetriedFailures(retried: 6, lost: 1, hasMore: false))
            let after = try await queue.uploads(denied + other + waiting)
            #expect(denied.dropFirst().allSatisfy { after[$0]?.status == .queued && after[$0]?.error == nil })
            #expect(after[denied[0]]?.status == .failed)
            #expect(other.allSatisfy { after[$0]?.status == .failed })
            #expect(after[waiting[0]]?.error?.code == "AccessDenied", "one that waits for its own try is left to it")
            // They are jobs with new attempts ahead, and everybody who reads events hears of it.
            let jobs = try await queue.claim(worker: worker, room: 100)
            #expect(Set(jobs.map(\.id)) == Set(denied.dropFirst()) && jobs.allSatisfy { $0.attempt == 2 && $0.maxAttempts == 13 })
            let told = try await queue.events(of: denied, after: 0).filter { $0.status == .queued }
            #expect(told.count == 6)
            #expect(try await queue.retryFailed(code: "AccessDenied").retried == 0)
        }
    }

    @Test func `more than one batch are all taken, and when time is up it says that there are more`() async throws {
        try await withQueue { queue, worker in
            for count in [1_000, 203] { try await queue.end(count, UploadQueue.denied, worker: worker) }
            let some = try await queue.retryFailed(code: "AccessDenied", patience: .zero)
            #expect(some.retried == Int(UploadQueue.retriedAtOnce) && some.hasMore)
            let rest = try await queue.retryFailed(code: "AccessDenied")
            #expect(rest.retried == 1_203 - some.retried && !rest.hasMore)
        }
    }
}
