import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// What workers say of themselves with their heartbeats, and what is made of it.
@Suite struct WorkerReportTests {
    @Test func `a bucket that refuses some workers, and one that has others slowed down, are told apart`() async throws {
        try await withQueue { queue, first in
            let second = try await queue.register(host: "other", pid: 2, version: "1", queues: ["default"])
            try await queue.end(1, UploadQueue.stored, worker: first)
            let refusing = WorkerReport.Bucket(bucket: "private", refusedSeconds: 90, code: "AccessDenied")
            let slowed = WorkerReport.Bucket(bucket: "busy", limit: 4, most: 32)
            #expect(
                try await queue.beat(
                    worker: first,
                    report: WorkerReport(slots: 32, isDraining: false, buckets: [refusing, slowed])
                )
            )
            let more = WorkerReport.Bucket(bucket: "busy", limit: 2, most: 16)
            #expect(try await queue.beat(worker: second, report: WorkerReport(slots: 16, isDraining: true, buckets: [more])))

            let overview = try await queue.overview()
            #expect(overview.buckets.map(\.bucket) == ["busy", "media", "private"])
            let (busy, media, closed) = (overview.buckets[0], overview.buckets[1], overview.buckets[2])
            #expect(busy.slowedFor == 2 && busy.limit == 6 && busy.most == 48 && busy.refusedBy == 0 && busy.refusedSince == nil)
            #expect(media.slowedFor == 0 && media.refusedBy == 0)
            #expect(closed.refusedBy == 1 && closed.code == "AccessDenied")
            #expect(abs(overview.readAt.timeIntervalSince(closed.refusedSince ?? .distantPast) - 90) < 30)

            #expect(overview.workers.map(\.id) == [first, second])
            #expect(overview.workers.map(\.slots) == [32, 16] && overview.workers.map(\.isDraining) == [false, true])
            #expect(overview.workers[1].host == "other" && overview.workers[1].queues == ["default"])
        }
    }

    @Test func `what is well again is not told any more, and a worker whose lease ran out tells nothing of buckets`() async throws
    {
        try await withQueue { queue, worker in
            let refusing = WorkerReport.Bucket(bucket: "private", refusedSeconds: 1, code: "AccessDenied")
            func report(_ buckets: [WorkerReport.Bucket]) async throws {
                _ = try await queue.beat(worker: worker, report: WorkerReport(slots: 1, isDraining: false, buckets: buckets))
            }
            try await report([refusing])
            #expect(try await queue.overview().buckets.count == 1)
            try await report([])
            #expect(try await queue.overview().buckets.isEmpty)
            try await report([refusing])
            try await queue.expireLease(of: worker)
            let overview = try await queue.overview()
            #expect(overview.buckets.isEmpty && overview.workers.count == 1 && overview.workers[0].expiresAt < overview.readAt)
        }
    }

    @Test func `jobs in flight are counted for each worker`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue((0..<5).map { _ in .example() })
            _ = try await queue.claim(worker: worker, room: 3)
            #expect(try await queue.overview().workers.map(\.moving) == [3])
        }
    }

    @Test func `a worker of the version before beats as ever, and its slots are not known`() async throws {
        try await withQueue { queue, worker in
            let row = try await queue.client.query("select s3file.beat(worker => \(worker), lease => interval '15 s') as alive")[
                0
            ]
            #expect(try row["alive", Bool.self])
            #expect(try await queue.overview().workers.map(\.slots) == [nil])
        }
    }

    @Test(arguments: ["'{\"bucket\": \"x\"}'", "'\"x\"'", "'1'", "('[\"' || repeat('x', 40000) || '\"]')::jsonb"])
    func `what is no list of buckets, or too long, costs no lease`(buckets: String) async throws {
        try await withQueue { queue, worker in
            let row = try await queue.client.query(
                SQL(unescaped: "select s3file.beat(\(worker), interval '15 s', buckets => \(buckets)) as alive")
            )[0]
            #expect(try row["alive", Bool.self])
            #expect(try await queue.overview().buckets.isEmpty)
        }
    }

    @Test func `a report is bounded, and holds what Postgres can keep`() throws {
        let buckets = (0..<100).map { WorkerReport.Bucket(bucket: "b\($0)", code: String(repeating: "x\0", count: 100)) }
        let report = WorkerReport(slots: 1, isDraining: false, buckets: buckets)
        #expect(report.buckets.count == WorkerReport.mostBuckets)
        #expect(report.buckets.allSatisfy { $0.code?.count == 64 && $0.code?.contains("\0") == false })
    }
}
