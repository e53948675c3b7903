import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct EnqueueTests {
    @Test func `an enqueued promise is queued under its id and key`() async throws {
        try await withQueue { queue, _ in
            let promise = UploadPromise.example(key: "avatars/ünï_文.txt", filename: "ünï 文.txt")
            let upload = try #require(try await queue.enqueue([promise], hold: nil).first)
            #expect(upload.id == promise.id)
            #expect(upload.status == .queued)
            #expect(upload.key == "avatars/ünï_文.txt")
            #expect(upload.filename == "ünï 文.txt")
            #expect(upload.owner == "user-42")
            #expect(try await queue.upload(promise.id) == upload)
        }
    }

    @Test func `the same promise posted twice is one upload, the first`() async throws {
        try await withQueue { queue, _ in
            let first = UploadPromise.example(tmpKey: "tmp/s3file/f/a")
            let second = UploadPromise.example(tmpKey: "tmp/s3file/f/a", key: "elsewhere/x")
            let uploads = try await queue.enqueue([first], hold: nil) + queue.enqueue([second], hold: nil)
            #expect(uploads.map(\.id) == [first.id, first.id])
            #expect(uploads[1].key == first.requestedKey)
        }
    }

    @Test func `a promise of somebody else is refused`() async throws {
        try await withQueue { queue, _ in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", owner: "one")], hold: nil)
            let error = await #expect(throws: PostgresError.self) {
                try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", owner: "other")], hold: nil)
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test func `two files of one name get two keys`() async throws {
        try await withQueue { queue, _ in
            let uploads = try await queue.enqueue(
                [.example(key: "docs/report.tar.gz"), .example(key: "docs/report.tar.gz")],
                hold: nil
            )
            #expect(uploads[0].key == "docs/report.tar.gz")
            #expect(try #require(uploads[1].key).wholeMatch(of: /docs\/report\.tar_[A-Za-z0-9]{7}\.gz/) != nil)
        }
    }

    @Test func `enqueuing many is all or none`() async throws {
        try await withQueue { queue, _ async throws in
            let good = UploadPromise.example()
            await #expect(throws: PostgresError.self) {
                try await queue.enqueue([good, .example(tmpKey: "tmp/../x")], hold: nil)
            }
            #expect(try await queue.upload(good.id) == nil)
        }
    }

    @Test func `a row that somebody's transaction rolls back was never there, and one it commits is claimed`() async throws {
        struct Undo: Error {}
        try await withQueue { queue, worker in
            let enqueue: SQL =
                "select id from s3file.enqueue(bucket => 'media', tmp_key => 'tmp/s3file/f/sql', etag => '\"e\"', size => 1, key => 'a/x')"
            await #expect(throws: Undo.self) {
                try await queue.client.withTransaction { transaction in
                    _ = try await transaction.query(enqueue)
                    throw Undo()
                }
            }
            #expect(try await queue.claim(worker: worker, room: 10).isEmpty)
            let id = try await queue.client.withTransaction { try await $0.query(enqueue)[0]["id", UUID.self] }
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [id])
        }
    }

    @Test func `a key as long as may be finds a free one, too, when it is taken`() async throws {
        try await withQueue { queue, _ in
            let key = "docs/" + String(repeating: "ü", count: 507) + ".pdf"
            let uploads = try await queue.enqueue([.example(key: key), .example(key: key)])
            let other = try #require(uploads[1].key)
            #expect(key.utf8.count == 1_023 && other.utf8.count <= 1_024 && other.hasSuffix(".pdf") && other != key)
        }
    }

    @Test func `an upload that is posted again goes where this post wants it`() async throws {
        try await withQueue { queue, _ in
            try await queue.setQueue("name => 'slow'")
            let promise = UploadPromise.example()
            _ = try await queue.enqueue([promise])
            try await queue.cancel([promise.id])
            await #expect(throws: PostgresError.self) {
                try await queue.enqueue([promise], placement: QueuePlacement(queue: "nowhere"))
            }
            _ = try await queue.enqueue([promise], placement: QueuePlacement(queue: "slow", priority: 7))
            let job = try await queue.client.query("select queue, priority from s3file.job")[0]
            #expect(try job["queue", String.self] == "slow" && job["priority", Int16.self] == 7)
        }
    }
}
