import Foundation
import Postgres
import TestEnvironment
import Testing

@testable import S3File

@Suite struct QueueReadingTests {
    private func readings(_ queue: UploadQueue) async throws -> [String: QueueReading] {
        Dictionary(uniqueKeysWithValues: try await queue.reading().queues.map { ($0.queue, $0) })
    }

    @Test func `an empty queue has nothing, and no age`() async throws {
        try await withQueue { queue, _ in
            let (queues, upkeep) = try await queue.reading()
            #expect(
                queues == [
                    QueueReading(
                        queue: "default",
                        isPaused: false,
                        due: 0,
                        later: 0,
                        moving: 0,
                        oldestSeconds: 0,
                        isEstimated: false
                    )
                ]
            )
            #expect(upkeep.workers == 1 && upkeep.lateWorkers == 0 && upkeep.tmpBatches == 0)
            #expect(Set(upkeep.overdue.keys).isSuperset(of: ["reap", "sweep", "prune"]))
            #expect(abs(upkeep.now.timeIntervalSinceNow) < 60)
        }
    }

    @Test func `due, later and moving are told apart, queue by queue, and the oldest that is due counts`() async throws {
        try await withQueue { queue, worker in
            try await queue.setQueue("'shared', fair => true")
            try await queue.setQueue("'idle', paused => true")
            _ = try await queue.enqueue((0..<5).map { _ in .example() })
            _ = try await queue.enqueue((0..<2).map { _ in .example() }, hold: .seconds(600))
            _ = try await queue.enqueue((0..<3).map { _ in .example() }, placement: QueuePlacement(queue: "shared"))
            _ = try await queue.enqueue([.example()], placement: QueuePlacement(queue: "idle", priority: 7))
            _ = try await queue.enqueue([.example()], placement: QueuePlacement(queue: "idle", priority: -7))
            _ = try await queue.client.query(
                """
                update s3file.job set run_at = now() - interval '5 minutes'
                 where upload_id = (select min(upload_id::text)::uuid from s3file.job where queue = 'default')
                    or queue = 'idle' and priority = 7 or queue = 'shared'
                """
            )
            let before = try await self.readings(queue)
            #expect(before["default"]?.due == 5 && before["default"]?.later == 2 && before["default"]?.moving == 0)
            #expect((300...400).contains(before["default"]?.oldestSeconds ?? 0))
            #expect(before["shared"]?.due == 3 && (300...400).contains(before["shared"]?.oldestSeconds ?? 0))
            #expect(before["idle"]?.due == 2 && before["idle"]?.isPaused == true)
            #expect((300...400).contains(before["idle"]?.oldestSeconds ?? 0), "also of a priority that is not the first")
            #expect(before.values.allSatisfy { !$0.isEstimated })

            let claimed = try await queue.claim(worker: worker, room: 100)
            #expect(claimed.count == 8)
            let after = try await self.readings(queue)
            #expect(after["default"]?.moving == 5 && after["default"]?.due == 0 && after["default"]?.oldestSeconds == 0)
            #expect(after["shared"]?.moving == 3 && after["shared"]?.due == 0)
        }
    }

    @Test func `beyond the bound the planner's estimate is near, and the bound is all that is read`() async throws {
        try await withMigratedDatabase { client, url in
            let queue = UploadQueue(client: client)
            _ = try await client.query(
                """
                insert into s3file.job (upload_id, run_at)
                select s3file.uuid_v7(), now() + case when i % 4 = 0 then 1 else -1 end * i * interval '10 ms'
                  from generate_series(1, 40000) i
                """
            )
            _ = try await client.query("analyze s3file.job")
            let reading = try #require(try await self.readings(queue)["default"])
            #expect(reading.isEstimated)
            #expect((20_000...40_000).contains(reading.due) && (2_000...20_000).contains(reading.later), "\(reading)")
            #expect((36_000...44_000).contains(reading.due + reading.later), "\(reading)")
            #expect(reading.oldestSeconds >= 399)
            let settings = """
                load 'auto_explain'; set client_min_messages = 'log'; set auto_explain.log_min_duration = 0;
                set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on; set auto_explain.log_timing = off;
                """
            let plans = try await Program.output(
                "sh",
                [
                    "-c", "exec psql -X -q -d \"$1\" -c \"$2\" 2>&1", "sh", url,
                    settings + "select * from s3file.queue_reading(1000)",
                ]
            ).lines.joined(separator: "\n")
            let rows = plans.matches(of: /actual rows=(\d+)/).compactMap { Int($0.1) }
            #expect(!rows.isEmpty && rows.allSatisfy { $0 <= 1_000 }, "\(plans)")
            #expect(!plans.contains("Seq Scan on job"))
        }
    }

    @Test(arguments: ["s3file_web", "s3file_worker"]) func `both roles may read it, and neither needs the tables for it`(
        role: String
    )
        async throws
    {
        try await withMigratedDatabase { _, url in
            let client = PostgresClient(
                configuration: PostgresConfiguration(url: url + (url.contains("?") ? "&" : "?") + "options=-c%20role%3D\(role)"),
                logger: .quiet
            )
            let queues = try await client.whileRunning { try await UploadQueue(client: client).reading().queues }
            #expect(queues.map(\.queue) == ["default"])
        }
    }
}
