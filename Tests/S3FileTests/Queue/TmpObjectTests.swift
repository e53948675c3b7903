import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct TmpObjectTests {
    @Test func `a stale key is marked before it is deleted, a live one is left alone, and a late form is told`() async throws {
        try await withQueue { queue, _ in
            let live = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/live")], hold: nil)[0]
            let gone = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/cancelled")], hold: nil)[0]
            try await queue.cancel([gone.id])
            let keys = ["tmp/s3file/f/live", "tmp/s3file/f/cancelled", "tmp/s3file/f/orphan"]
            let deletable = try await queue.expire(tmpBucket: "media", objects: keys.map { ($0, 1, "\"e\"") })
            #expect(Set(deletable) == ["tmp/s3file/f/cancelled", "tmp/s3file/f/orphan"])
            #expect(try await queue.upload(live.id)?.status == .queued)
            #expect(try await queue.upload(gone.id)?.status == .cancelled)
            // Whoever comes for bytes that are gone is told so, whoever they are.
            for key in ["tmp/s3file/f/cancelled", "tmp/s3file/f/orphan"] {
                let late = await #expect(throws: PostgresError.self) {
                    try await queue.enqueue([.example(tmpKey: key)], hold: nil)
                }
                #expect(late?.sqlState == "SF410")
            }
        }
    }

    @Test func `a tmp object that a crash left behind is found until its deletion is noted`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)
            let job = try await queue.claim(worker: worker, room: 1)[0]
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, batches: 10).isEmpty)
            _ = try await queue.settle([(job, .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, batches: 10).map(\.key) == ["tmp/s3file/f/a"])
            try await queue.noteTmpDeleted(queue.tmpObjectsLeft(olderThan: .zero, batches: 10))
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, batches: 10).isEmpty)
        }
    }

    @Test func `the only copy of a failed upload is kept, and a stored file is never swept, wherever it lies`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/failed")], hold: nil)
            let job = try await queue.claim(worker: worker, room: 1)[0]
            _ = try await queue.settle([(job, .failed(code: "x", message: "x"))], worker: worker)
            _ = try await queue.enqueue([.example(key: "tmp/s3file/stored/x.pdf")], hold: nil)
            let objects = ["tmp/s3file/f/failed", "tmp/s3file/stored/x.pdf"].map { (key: $0, size: Int64(1), etag: "\"e\"") }
            let deletable = try await queue.expire(tmpBucket: "media", objects: objects)
            #expect(deletable.isEmpty)
            _ = try await queue.client.query(
                "update s3file.upload set finished_at = now() - interval '8 days' where id = \(job.id)"
            )
            let later = try await queue.expire(tmpBucket: "media", objects: objects)
            #expect(later == ["tmp/s3file/f/failed"])
        }
    }

    @Test func `one process takes the turn at a task`() async throws {
        try await withQueue { queue, _ async throws in
            #expect(try await queue.takeTurn("sweep", every: .seconds(60)))
            #expect(try await queue.takeTurn("sweep", every: .seconds(60)) == false)
        }
    }
}
