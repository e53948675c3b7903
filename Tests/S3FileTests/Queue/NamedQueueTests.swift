import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct NamedQueueTests {
    @Test func `smaller priorities go first, and equals in the order of their time`() async throws {
        try await withQueue { queue, worker in
            let late = try await queue.enqueue([.example()], placement: QueuePlacement(priority: 5))[0].id
            let first = try await queue.enqueue([.example()])[0].id
            let second = try await queue.enqueue([.example()])[0].id
            let urgent = try await queue.enqueue([.example()], placement: QueuePlacement(priority: -5))[0].id
            var order: [UUID] = []
            while let job = try await queue.claim(worker: worker, room: 1).first { order.append(job.id) }
            #expect(order == [urgent, first, second, late])
        }
    }

    @Test func `a worker serves the queues it names, or all`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("name => 'thumbnails'")
            let other = try await queue.enqueue([.example()], placement: QueuePlacement(queue: "thumbnails"))[0].id
            let usual = try await queue.enqueue([.example()])[0].id
            #expect(try await queue.claim(worker: worker, room: 10, queues: ["nothing"], lanes: nil).isEmpty)
            #expect(try await queue.claim(worker: worker, room: 10, queues: ["thumbnails"], lanes: nil).map(\.id) == [other])
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [usual])
        }
    }

    @Test func `a paused queue rests until it is resumed`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            try await queue.setQueue("name => 'default', paused => true")
            #expect(try await queue.claim(worker: worker, room: 10).isEmpty)
            try await queue.setQueue("name => 'default', paused => false")
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [id])
        }
    }

    @Test func `what is not due is not taken, and does not hold up what is`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue(
                (0..<50).map { _ in .example() },
                hold: .seconds(60),
                placement: QueuePlacement(priority: -1)
            )
            let due = try await queue.enqueue([.example()])[0].id
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [due])
        }
    }

    @Test func `with the lanes of an earlier claim it reads on from there, and sees a new priority only without them`()
        async throws
    {
        try await withQueue { queue, worker in
            let ids = try await queue.enqueue((0..<6).map { _ in .example() }).map(\.id)
            let first = try await queue.claim(worker: worker, room: 2)
            let lanes = first.map(\.place)
            let urgent = try await queue.enqueue([.example()], placement: QueuePlacement(priority: -1))[0].id
            let next = try await queue.claim(worker: worker, room: 2, queues: nil, lanes: [lanes[0]])
            #expect(next.count == 2 && next.allSatisfy { ids.contains($0.id) })
            #expect(try await queue.claim(worker: worker, room: 1).map(\.id) == [urgent])
            // A lane that begins after all of them has none of them.
            let after = Lane(queue: "default", priority: 0, runAt: Date().addingTimeInterval(60), uploadID: urgent)
            #expect(try await queue.claim(worker: worker, room: 9, queues: nil, lanes: [after]).isEmpty)
            #expect(try await queue.claim(worker: worker, room: 9, queues: nil, lanes: [lanes[0]]).count == 2)
        }
    }

    // MARK: Fair queues

    @Test func `a fair queue goes round its owners, so nobody waits behind somebody's thousand files`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("name => 'default', fair => true")
            _ = try await queue.enqueue((0..<100).map { _ in .example(owner: "busy") })
            _ = try await queue.enqueue((0..<3).map { _ in .example(owner: "ann") } + (0..<3).map { _ in .example(owner: nil) })
            var owners: [String: Int] = [:]
            for _ in 0..<3 {
                let jobs = try await queue.claim(worker: worker, room: 6)
                for upload in try await queue.uploads(jobs.map(\.id)).values { owners[upload.owner ?? "nobody", default: 0] += 1 }
            }
            #expect(owners["ann"] == 3 && owners["nobody"] == 3 && (owners["busy"] ?? 0) >= 3)
        }
    }

    @Test func `no owner has more in flight than the limit, however many claim at once`() async throws {
        try await withQueue { queue, _ in
            try await queue.setQueue("name => 'default', fair => true, max_in_flight_per_owner => 3")
            _ = try await queue.enqueue((0..<40).map { .example(owner: "owner-\($0 % 4)") })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let worker = try await queue.register(host: "test", pid: 2, version: "0")
                        for _ in 0..<4 { _ = try await queue.claim(worker: worker, room: 10) }
                    }
                }
                try await group.waitForAll()
            }
            let counts = try await queue.client.query(
                "select count(*) as n from s3file.job where worker is not null group by owner order by owner"
            ).map { try $0["n", Int.self] }
            #expect(counts == [3, 3, 3, 3])
        }
    }

    @Test func `a bucket and the queue as a whole have limits, and what ends makes room`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("name => 'default', fair => true, max_in_flight => 5, max_in_flight_per_bucket => 4")
            _ = try await queue.enqueue((0..<20).map { .example(owner: "owner-\($0)") })
            var jobs: [Job] = []
            for _ in 0..<4 { jobs += try await queue.claim(worker: worker, room: 10) }
            #expect(jobs.count == 4)
            _ = try await queue.settle([(jobs[0], .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(try await queue.claim(worker: worker, room: 10).count == 1)
        }
    }

    @Test func `a queue becomes fair and ordinary again with all that waits in it`() async throws {
        try await withQueue { queue, worker in
            let ids = Set(try await queue.enqueue((0..<4).map { _ in .example() }).map(\.id))
            try await queue.setQueue("name => 'default', fair => true")
            let fair = try await queue.claim(worker: worker, room: 2)
            #expect(!fair.isEmpty && fair.allSatisfy(\.isFair))
            try await queue.setQueue("name => 'default', fair => false")
            let rest = try await queue.claim(worker: worker, room: 10)
            #expect(Set((fair + rest).map(\.id)) == ids && rest.allSatisfy { !$0.isFair })
        }
    }

    @Test func `two hundred owners with nothing due do not hide the one who has`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("name => 'default', fair => true")
            _ = try await queue.enqueue((0..<250).map { .example(owner: "idle-\($0)") }, hold: .seconds(60))
            let due = try await queue.enqueue([.example(owner: "zoe")])[0].id
            var found: [UUID] = []
            for _ in 0..<3 { found += try await queue.claim(worker: worker, room: 4).map(\.id) }
            #expect(found == [due])
        }
    }

    @Test func `an owner at the limit does not take the bucket's places from the others`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue(
                "name => 'default', fair => true, max_in_flight_per_owner => 1, max_in_flight_per_bucket => 4"
            )
            _ = try await queue.enqueue((0..<20).map { _ in .example(owner: "hog") }, placement: QueuePlacement(priority: -1))
            _ = try await queue.enqueue((0..<20).map { .example(owner: "owner-\($0)") })
            #expect(try await queue.claim(worker: worker, room: 80).count == 4)
            try await queue.setQueue("name => 'default', max_in_flight_per_bucket => 0")
            #expect(try await queue.claim(worker: worker, room: 80).count > 4)
        }
    }

    @Test func `a job that was enqueued while its queue became fair is found`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            // As an enqueue leaves it whose transaction was open while the queue was changed.
            _ = try await queue.client.query("update s3file.queue set fair = true where name = 'default'")
            #expect(try await queue.claim(worker: worker, room: 10).isEmpty)
            _ = try await queue.reap(sinceServerStart: .zero)
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [id])
        }
    }

    @Test func `a job that an open transaction holds keeps nobody from the others`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("name => 'default', fair => true")
            let ids = try await queue.enqueue((0..<3).map { .example(owner: "owner-\($0)") }).map(\.id)
            try await queue.client.withTransaction { transaction in
                _ = try await transaction.query("select from s3file.job where upload_id = \(ids[0]) for update")
                #expect(Set(try await queue.claim(worker: worker, room: 10).map(\.id)) == Set(ids.dropFirst()))
            }
        }
    }

    @Test func `a queue in which jobs wait cannot be taken away`() async throws {
        try await withQueue { queue, _ in
            try await queue.setQueue("name => 'slow'")
            _ = try await queue.enqueue([.example()], placement: QueuePlacement(queue: "slow"))
            let error = await #expect(throws: PostgresError.self) {
                try await queue.client.query("delete from s3file.queue where name = 'slow'")
            }
            #expect(error?.sqlState == "23503")
        }
    }
}
