import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// What is known of one upload, and how one is found.
@Suite struct DossierTests {
    @Test func `the timeline has each change of one upload in its order, by whom, and nothing of others`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.end(3, .retry(code: "SlowDown", message: "Slow down.", delay: .zero), worker: worker)[1]
            _ = try await queue.client.query("update s3file.job set run_at = now()")
            let jobs = try await queue.claim(worker: worker, room: 10)
            _ = try await queue.settle(jobs.map { ($0, UploadQueue.denied) }, worker: worker)
            #expect(try await queue.retry([id]) == 1)

            let dossier = try #require(try await queue.dossier(of: id))
            #expect(dossier.events.map(\.status) == [.moving, .queued, .moving, .failed, .queued])
            #expect(dossier.events.map(\.attempt) == [1, 1, 2, 2, 2])
            #expect(dossier.events.map(\.worker) == [worker, worker, worker, worker, nil])
            #expect(dossier.isWhole && dossier.upload.status == .queued)
            #expect(dossier.tmpBucket == "media" && dossier.tmpKey.hasPrefix("tmp/s3file/f/") && !dossier.tmpIsDeleted)
            #expect(try await queue.dossier(of: .version7()) == nil)
        }
    }

    @Test func `of long ago the events are found among many later ones, by a bounded look`() async throws {
        try await withQueue { queue, worker in
            let id = try await queue.end(1, UploadQueue.stored, worker: worker)[0]
            _ = try await queue.client.query(
                """
                update s3file.upload set created_at = created_at - interval '1 day', updated_at = updated_at - interval '1 day',
                       started_at = started_at - interval '1 day', finished_at = finished_at - interval '1 day';
                """
            )
            _ = try await queue.client.query("update s3file.event set at = at - interval '1 day'")
            _ = try await queue.client.query(
                """
                insert into s3file.event (upload_ids, states, attempts, at)
                select array[s3file.uuid_v7()], array[1::smallint], array[1::smallint], now() - (20000 - i) * interval '1 second'
                  from generate_series(1, 20000) i
                """
            )
            let dossier = try #require(try await queue.dossier(of: id))
            #expect(dossier.events.map(\.status) == [.moving, .stored] && dossier.isWhole)
            // One that lives through all of them: its first and its last are found, and that some are not looked at is said.
            _ = try await queue.client.query("update s3file.upload set updated_at = now()")
            try await queue.end(1, UploadQueue.stored, worker: worker)
            #expect(try await queue.dossier(of: id)?.isWhole == false)
        }
    }

    @Test(arguments: [0, 1, 2, 7, 100]) func `the first event of a moment is found, with gaps and at both ends`(count: Int)
        async throws
    {
        try await withMigratedDatabase { client, _ in
            _ = try await client.query(
                """
                insert into s3file.event (upload_ids, states, attempts, at)
                select '{}', '{}', '{}', '2026-01-01'::timestamptz + i * interval '1 second' from generate_series(1, \(Int32(count))) i
                """
            )
            _ = try await client.query("delete from s3file.event where id % 3 = 2")
            let wrong = try await client.query(
                """
                select s as second from generate_series(0, \(Int32(count + 1))) s
                 where s3file.first_event('2026-01-01'::timestamptz + s * interval '1 second')
                       is distinct from coalesce((select min(id) from s3file.event where at >= '2026-01-01'::timestamptz + s * interval '1 second'),
                                                 (select max(id) from s3file.event))
                   and s3file.first_event('2026-01-01'::timestamptz + s * interval '1 second')
                       not between (select max(id) from s3file.event where at < '2026-01-01'::timestamptz + s * interval '1 second')
                               and (select min(id) from s3file.event where at >= '2026-01-01'::timestamptz + s * interval '1 second')
                """
            )
            #expect(wrong.isEmpty)
        }
    }

    @Test func `an upload is found by its id, key, tmp key, how one begins, and its owner, and each once`() async throws {
        try await withQueue { queue, _ in
            let strange = "docs/100%_ä'\"<b>.pdf"
            let one = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/one", key: strange, owner: "docs/")])[0]
            let two = try await queue.enqueue([.example(tmpKey: "tmp/s3file/g/two", key: "docs/2.pdf", owner: "ada")])[0]
            func find(_ text: String) async throws -> Set<UUID> { Set(try await queue.search(text, limit: 50).map(\.id)) }
            #expect(try await find(one.id.uuidString.lowercased()) == [one.id])
            #expect(try await find(strange) == [one.id])
            #expect(try await find("docs/100%") == [one.id])
            #expect(try await find("docs/1__") == [], "nothing in it is a pattern")
            #expect(try await find("tmp/s3file/g/") == [two.id])
            #expect(try await find("ada") == [two.id])
            #expect(try await queue.search("docs/", limit: 50).count == 2)
            #expect(try await queue.search("docs/", limit: 1).count == 1)
            #expect(try await find("nothing") == [])
        }
    }

    @Test func `those with one error are listed page by page, the newest first`() async throws {
        try await withQueue { queue, worker in
            let denied = try await queue.end(5, UploadQueue.denied, worker: worker)
            try await queue.end(2, UploadQueue.slow, worker: worker)
            let newestFirst = denied.sorted { $0.uuidString > $1.uuidString }
            let first = try await queue.page(withError: "AccessDenied", after: nil, limit: 3)
            #expect(first.uploads.map(\.id) == Array(newestFirst.prefix(3)))
            let second = try await queue.page(withError: "AccessDenied", after: first.next, limit: 3)
            #expect(second.uploads.map(\.id) == Array(newestFirst.suffix(2)) && second.next == nil)
        }
    }

    @Test func `a queue is paused and goes on, and one that there is not is not made`() async throws {
        try await withQueue { queue, _ in
            let isKnown = try await queue.setPaused("default", true)
            #expect(isKnown)
            #expect(try await queue.overview().queues.map(\.isPaused) == [true])
            #expect(try await queue.setPaused("default", false))
            #expect(try await !queue.setPaused("none", true))
            #expect(try await queue.overview().queues.map(\.queue) == ["default"])
        }
    }
}
