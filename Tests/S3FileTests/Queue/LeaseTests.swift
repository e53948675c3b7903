import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct LeaseTests {
    @Test func `jobs whose claim went astray are put back, those in flight are not`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example(), .example()], hold: nil)
            let jobs = try await queue.claim(worker: worker, room: 2)
            let count = try await queue.giveBackOthers(worker: worker, inFlight: [jobs[0].id])
            #expect(count == 1)
            #expect(try await queue.upload(jobs[0].id)?.status == .moving)
            let again = try await queue.claim(worker: worker, room: 2)
            #expect(again.map(\.id) == [jobs[1].id] && again[0].attempt == 2)
            // The lost attempt settles nothing any more.
            let stale = try await queue.settle([(jobs[1], .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(stale.isEmpty)
        }
    }

    @Test func `a comparison that comes late leaves what was claimed since`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example(), .example()], hold: nil)
            let astray = try await queue.claim(worker: worker, room: 1)
            let made = try await queue.client.query("select now()")[0][0, Date.self]
            let since = try await queue.claim(worker: worker, room: 1)
            #expect(try await queue.giveBackOthers(worker: worker, inFlight: [], asOf: made) == 1)
            #expect(try await queue.upload(astray[0].id)?.status == .queued)
            #expect(try await queue.upload(since[0].id)?.status == .moving)
            // The next one finds it, if it is not known.
            #expect(try await queue.giveBackOthers(worker: worker, inFlight: []) == 1)
        }
    }

    @Test func `two workers claiming at once never get the same job, and none is left`() async throws {
        try await withQueue { queue, _ in
            _ = try await queue.enqueue((0..<60).map { _ in .example() }, hold: nil)
            let claimed = try await withThrowingTaskGroup(of: [UUID].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let worker = try await queue.register(host: "test", pid: 2, version: "0")
                        var ids: [UUID] = []
                        while true {
                            let jobs = try await queue.claim(worker: worker, room: 7)
                            if jobs.isEmpty { return ids }
                            ids += jobs.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            // A claim that finds rows locked by another comes back short, so "empty" can be early: what is left is claimed here.
            let late = try await queue.claim(worker: try await queue.register(host: "test", pid: 3, version: "0"), room: 100)
                .map(\.id)
            #expect(claimed.count + late.count == 60)
            #expect(Set(claimed + late).count == 60)
        }
    }

    @Test func `a worker whose lease was reaped is told so, and can settle nothing`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let stale = try await queue.claim(worker: worker, room: 1)[0]
            try await queue.expireLease(of: worker)
            #expect(try await queue.claim(worker: worker, room: 1).isEmpty)
            #expect(try await queue.reap(sinceServerStart: .zero) == 1)
            #expect(try await queue.beat(worker: worker) == false)

            // The first time is an accident: it is due at once.
            let other = try await queue.register(host: "test", pid: 2, version: "0")
            let fresh = try await queue.claim(worker: other, room: 1)[0]
            #expect(fresh.attempt == 2)
            #expect(try await queue.settle([(stale, .stored(etag: "\"e\"", versionID: nil))], worker: worker).isEmpty)
            let settled = try await queue.settle([(fresh, .stored(etag: "\"e\"", versionID: nil))], worker: other)
            #expect(settled[upload.id]?.status == .stored)
        }
    }

    @Test func `a lease that ran out while the database was away is saved by the first heartbeat`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let job = try await queue.claim(worker: worker, room: 1)[0]
            try await queue.expireLease(of: worker)
            // A server that has just started was away for everybody, so nobody is taken for dead.
            #expect(try await queue.reap(sinceServerStart: .seconds(10 * 365 * 86_400)) == 0)
            #expect(try await queue.beat(worker: worker))
            #expect(try await queue.reap(sinceServerStart: .zero) == 0)
            let settled = try await queue.settle([(job, .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(settled[upload.id]?.status == .stored)
        }
    }

    @Test func `a claim that races the reaper leaves no job with a dead worker`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue((0..<40).map { _ in .example() }, hold: nil)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { for _ in 0..<20 { _ = try await queue.claim(worker: worker, room: 2) } }
                group.addTask {
                    try await queue.expireLease(of: worker)
                    for _ in 0..<10 { _ = try await queue.reap(sinceServerStart: .zero) }
                }
                try await group.waitForAll()
            }
            _ = try await queue.reap(sinceServerStart: .zero)
            let moving = try await queue.client.query("select count(*) as n from s3file.job where worker is not null")[0][
                "n",
                Int.self
            ]
            #expect(moving == 0)
        }
    }

    @Test func `a job that keeps killing its workers ends as failed`() async throws {
        try await withQueue { queue, _ in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            _ = try await queue.client.query("update s3file.job set max_attempts = 2 where upload_id = \(upload.id)")
            for _ in 0..<2 {
                _ = try await queue.client.query("update s3file.job set run_at = now() where upload_id = \(upload.id)")
                let worker = try await queue.register(host: "test", pid: 1, version: "0")
                #expect(try await queue.claim(worker: worker, room: 1).count == 1)
                try await queue.unregister(worker: worker)
                #expect(try await queue.reap(sinceServerStart: .zero) == 1)
            }
            let failed = try #require(try await queue.upload(upload.id))
            #expect(failed.status == .failed && failed.error?.code == "worker_lost")
        }
    }
}
