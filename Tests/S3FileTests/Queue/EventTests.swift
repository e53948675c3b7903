import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct EventTests {
    private func story(_ queue: UploadQueue, of id: UUID) async throws -> [String] {
        try await queue.client.query(
            "select status, attempt from s3file.upload_event where upload_id = \(id) order by event_id"
        ).map { "\(try $0["status", String.self]) \(try $0["attempt", Int16.self])" }
    }

    @Test func `every change of status after the first is an event, in order`() async throws {
        try await withQueue { queue, worker in
            let ids = try await queue.enqueue([.example(), .example()]).map(\.id)
            for outcome in [
                Outcome.retry(code: "SlowDown", message: "Slow down.", delay: .zero), .stored(etag: "\"e\"", versionID: nil),
            ] {
                let jobs = try await queue.claim(worker: worker, room: 10)
                _ = try await queue.settle(jobs.map { ($0, outcome) }, worker: worker)
            }
            for id in ids { #expect(try await self.story(queue, of: id) == ["moving 1", "queued 1", "moving 2", "stored 2"]) }
        }
    }

    @Test func `what a dead worker, a cancel and a retry changed is told as well`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.enqueue([.example()])[0].id
            _ = try await queue.claim(worker: worker, room: 1)
            try await queue.unregister(worker: worker)
            _ = try await queue.reap(sinceServerStart: .zero)
            try await queue.cancel([id])
            #expect(try await queue.retry([id]) == 1)
            #expect(try await self.story(queue, of: id) == ["moving 1", "queued 1", "cancelled 1", "queued 1"])
        }
    }

    @Test func `the SQL view tells the same story`() async throws {
        try await withQueue { queue, worker in
            let metadata = #"{"album": 7}"#
            let upload = try await queue.enqueue([.example()], metadata: metadata, placement: QueuePlacement(priority: 3))[0]
            let row = try await queue.client.query("select * from s3file.upload_status where id = \(upload.id)")[0]
            #expect(try row["status", String.self] == "queued" && row["key", String?.self] == upload.key)
            #expect(try row["metadata", String.self] == metadata && row["priority", Int16.self] == 3)
            _ = try await queue.claim(worker: worker, room: 1)
            let moving = try await queue.client.query("select * from s3file.upload_status where id = \(upload.id)")[0]
            #expect(try moving["status", String.self] == "moving" && moving["attempt", Int16.self] == 1)
            #expect(try moving["next_attempt_at", Date?.self] == nil && moving["started_at", Date?.self] != nil)
            #expect(try moving["updated_at", Date.self] > row["updated_at", Date.self])
        }
    }

    @Test func `every column of the views that SQL users read is described`() async throws {
        try await withQueue { queue, _ in
            let undescribed = try await queue.client.query(
                """
                select a.attname::text as name from pg_attribute a
                 where a.attrelid = 's3file.upload_status'::regclass and a.attnum > 0 and col_description(a.attrelid, a.attnum) is null
                """
            ).map { try $0["name", String.self] }
            #expect(undescribed == [])
        }
    }
}
