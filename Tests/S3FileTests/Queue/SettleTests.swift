import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct SettleTests {
    @Test func `what a store refuses waits, and costs no attempt`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let job = try await queue.claim(worker: worker, room: 1)[0]
            let settled = try await queue.settle([(job, .parked(code: "AccessDenied", message: "No."))], worker: worker)
            #expect(settled[upload.id]?.status == .queued)
            let parked = try #require(try await queue.upload(upload.id))
            #expect(parked.error?.code == "AccessDenied" && parked.error?.retryable == true && parked.maxAttempts == 13)
            #expect(try await queue.claim(worker: worker, room: 1).isEmpty)
        }
    }

    @Test func `what an open transaction has cancelled is recorded when that ends, and keeps nothing else waiting`()
        async throws
    {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue((0..<4).map { _ in .example() }, hold: nil)
            let jobs = try await queue.claim(worker: worker, room: 10)
            let stored = Outcome.stored(etag: "\"e\"", versionID: nil)
            let outcomes = zip(jobs, [stored, stored, .givenBack, stored]).map { (job: $0, outcome: $1) }
            try await queue.client.withTransaction { transaction in
                _ = try await transaction.query("select s3file.cancel(\(jobs[1].id))")
                let settled = try await queue.settle(outcomes, worker: worker)
                #expect(jobs.map { settled[$0.id]?.status } == [.stored, .moving, .queued, .stored])
                let again = try await queue.settle(outcomes, worker: worker)
                #expect(again == [jobs[1].id: Settlement(status: .moving, tmpDeletion: nil)])
                // Nor does whoever looks for what went astray wait for it.
                #expect(try await queue.giveBackOthers(worker: worker, inFlight: []) == 0)
            }
            let later = try await queue.settle(outcomes, worker: worker)
            #expect(later.count == 1 && later[jobs[1].id]?.status == .stored && later[jobs[1].id]?.tmpDeletion != nil)
            #expect(try await queue.settle(outcomes, worker: worker).isEmpty)
        }
    }

    @Test func `each outcome becomes its status`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue((0..<4).map { _ in .example() }, hold: nil)
            let jobs = try await queue.claim(worker: worker, room: 10)
            let outcomes: [Outcome] = [
                .stored(etag: "\"e\"", versionID: nil), .retry(code: "SlowDown", message: "Slow down.", delay: .seconds(60)),
                .failed(code: "AccessDenied", message: "No."), .givenBack,
            ]
            let settled = try await queue.settle(zip(jobs, outcomes).map { ($0, $1) }, worker: worker)
            #expect(jobs.map { settled[$0.id]?.status } == [.stored, .queued, .failed, .queued])

            let stored = try #require(try await queue.upload(jobs[0].id))
            #expect(stored.storedAt != nil && stored.progress.copied == stored.size)
            let waiting = try #require(try await queue.upload(jobs[1].id))
            #expect(waiting.attempt == 1 && waiting.error?.code == "SlowDown" && waiting.error?.retryable == true)
            let failed = try #require(try await queue.upload(jobs[2].id))
            #expect(failed.error?.retryable == false)
            // Given back: it keeps its number, which fences, and gets another try.
            let givenBack = try #require(try await queue.upload(jobs[3].id))
            #expect(givenBack.attempt == 1 && givenBack.maxAttempts == 13)
            // Only the one that was given back is due.
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [jobs[3].id])
        }
    }

    @Test func `another attempt waits longer each time, and as long as a store asked for`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example()], hold: nil)
            func wait(after delay: Duration?) async throws -> Double {
                let jobs = try await eventually { () -> [Job]? in
                    let jobs = try await queue.claim(worker: worker, room: 1)
                    return jobs.isEmpty ? nil : jobs
                }
                let outcome = Outcome.retry(code: "InternalError", message: "No.", delay: delay)
                _ = try await queue.settle(jobs.map { ($0, outcome) }, worker: worker)
                // Of the settle, whose time the record has. The next attempt need not wait for it here.
                return try await queue.client.query(
                    """
                    with due as (
                        select j.upload_id, extract(epoch from j.run_at - u.updated_at)::float8 as seconds
                          from s3file.job j join s3file.upload u on u.id = j.upload_id)
                    update s3file.job j set run_at = now() from due where due.upload_id = j.upload_id returning due.seconds
                    """
                )[0]["seconds", Double.self]
            }
            // The fourth power of the attempt's number, at most an hour, a tenth more or less.
            for expected in [1.0, 16, 81, 256, 625, 1_296, 2_401, 3_600, 3_600] {
                let seconds = try await wait(after: nil)
                #expect((0.9 * expected...1.1 * expected).contains(seconds), "\(seconds) in place of \(expected)")
            }
            #expect(abs(try await wait(after: .seconds(7)) - 7) < 0.001)
            #expect(try await wait(after: .zero) == 0)
        }
    }

    @Test func `an upload that has used up its attempts is failed, not retried`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            _ = try await queue.client.query("update s3file.job set max_attempts = 1 where upload_id = \(upload.id)")
            let job = try await queue.claim(worker: worker, room: 1)[0]
            let settled = try await queue.settle(
                [(job, .retry(code: "InternalError", message: "No.", delay: nil))],
                worker: worker
            )
            #expect(settled[upload.id]?.status == .failed)
        }
    }

    @Test func `a moving upload that is cancelled ends as cancelled when it would have been tried again`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let job = try await queue.claim(worker: worker, room: 1)[0]
            try await queue.cancel([upload.id])
            #expect(try await queue.upload(upload.id)?.status == .moving)
            let settled = try await queue.settle(
                [(job, .retry(code: "InternalError", message: "No.", delay: nil))],
                worker: worker
            )
            #expect(settled[upload.id]?.status == .cancelled)
        }
    }

    @Test(arguments: [-1e300, 0, 1e15, .infinity, .nan])
    func `a senseless delay that a store asked for spoils neither its own settle nor its batch`(seconds: Double) async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example(), .example()])
            let jobs = try await queue.claim(worker: worker, room: 2)
            let settled = try await queue.client.query(
                """
                select * from s3file.settle(\(worker), \(jobs.map(\.id)), \(jobs.map(\.attempt)), array['stored', 'retry'],
                    delays => array[null, \(seconds)], codes => array[null, 'SlowDown'], etags => array['e', null])
                """
            )
            #expect(settled.count == 2)
            let next = try await queue.client.query("select run_at < now() + interval '25 hours' as soon from s3file.job")[0][
                "soon",
                Bool.self
            ]
            #expect(next)
        }
    }

    @Test func `the last attempt that can be counted is the last, and its lane goes on`() async throws {
        try await withQueue { queue, worker in
            let old = try await queue.enqueue([.example()])[0].id
            _ = try await queue.client.query("update s3file.job set attempt = 32766, max_attempts = 32767")
            let job = try await queue.claim(worker: worker, room: 1)[0]
            let settled = try await queue.settle([(job, .parked(code: "AccessDenied", message: "No."))], worker: worker)
            #expect(settled[old]?.status == .failed)
            _ = try await queue.enqueue([.example()])
            #expect(try await queue.claim(worker: worker, room: 10).count == 1)
        }
    }

    @Test func `what is given back keeps the error that it waited with`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            for outcome in [Outcome.retry(code: "SlowDown", message: "Slow down.", delay: .zero), .givenBack] {
                let job = try await queue.claim(worker: worker, room: 1)[0]
                _ = try await queue.settle([(job, outcome)], worker: worker)
            }
            #expect(try await queue.upload(id)?.error?.code == "SlowDown")
        }
    }
}
