import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct HoldTests {
    @Test func `a held upload waits until it is released`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: .seconds(60))[0]
            #expect(try await queue.claim(worker: worker, room: 10).isEmpty)
            try await queue.release([upload.id])
            #expect(try await queue.claim(worker: worker, room: 10).map(\.id) == [upload.id])
        }
    }

    @Test func `a held upload that was given up can be posted again`() async throws {
        try await withQueue { queue, worker in
            let promise = UploadPromise.example(tmpKey: "tmp/s3file/f/a")
            _ = try await queue.enqueue([promise], hold: .seconds(60))
            try await queue.cancelHeld([promise.id])
            #expect(try await queue.upload(promise.id)?.status == .cancelled)
            let again = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)[0]
            #expect(again.id == promise.id && again.status == .queued)
            #expect(try await queue.claim(worker: worker, room: 10).count == 1)
        }
    }

    @Test func `giving up does not touch what another post of the form released, and releasing brings back what it gave up`()
        async throws
    {
        try await withQueue { queue, _ in
            let promise = UploadPromise.example()
            _ = try await queue.enqueue([promise], hold: .seconds(60))
            try await queue.release([promise.id])
            try await queue.cancelHeld([promise.id])
            #expect(try await queue.upload(promise.id)?.status == .queued)

            let other = UploadPromise.example()
            _ = try await queue.enqueue([other], hold: .seconds(60))
            try await queue.cancelHeld([other.id])
            try await queue.release([other.id])
            #expect(try await queue.upload(other.id)?.status == .queued)
        }
    }

    @Test func `a queued upload is cancelled at once, and one cancelled on purpose is not released`() async throws {
        try await withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            try await queue.cancel([upload.id])
            try await queue.release([upload.id])
            #expect(try await queue.upload(upload.id)?.status == .cancelled)
            #expect(try await queue.claim(worker: worker, room: 10).isEmpty)
        }
    }

    @Test func `a failed upload that is posted again is tried again, with what lies there now`() async throws {
        try await withQueue { queue, worker in
            let first = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)[0]
            let job = try await queue.claim(worker: worker, room: 1)[0]
            _ = try await queue.settle([(job, Outcome.failed(code: "source_changed", message: "x"))], worker: worker)
            let again = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", etag: "\"new\"")], hold: nil)[0]
            #expect(again.id == first.id && again.status == .queued && again.error == nil)
            let retried = try await queue.claim(worker: worker, room: 1)[0]
            // The attempt goes on counting: it fences.
            #expect(retried.attempt == 2 && retried.etag == "\"new\"")
        }
    }

    @Test func `other bytes under a key that was enqueued are refused, not answered with the old upload`() async throws {
        try await withQueue { queue, _ in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)
            let error = await #expect(throws: PostgresError.self) {
                try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", etag: "\"new\"")], hold: nil)
            }
            #expect(error?.sqlState == "SF409")
        }
    }

    @Test func `forms with the same names in opposite orders do not wait for one another for ever`() async throws {
        try await withQueue { queue, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<20 {
                    for keys in [["docs/a\(round)", "docs/b\(round)"], ["docs/b\(round)", "docs/a\(round)"]] {
                        group.addTask {
                            let uploads = try await queue.enqueue(keys.map { .example(key: $0) }, hold: nil)
                            #expect(uploads.count == 2 && uploads[0].key?.hasPrefix(keys[0]) == true)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `a hold after an earlier failure is a hold, and one that waits for another try is not`() async throws {
        try await withQueue { queue, worker in
            let promise = UploadPromise.example()
            _ = try await queue.enqueue([promise])
            let failed = try await queue.claim(worker: worker, room: 1)[0]
            _ = try await queue.settle([(failed, .failed(code: "x", message: "x"))], worker: worker)
            _ = try await queue.enqueue([promise], hold: .seconds(60))
            try await queue.cancelHeld([promise.id])
            #expect(try await queue.upload(promise.id)?.status == .cancelled)
            try await queue.release([promise.id])
            let again = try await queue.claim(worker: worker, room: 1)[0]
            _ = try await queue.settle([(again, .retry(code: "SlowDown", message: "x", delay: .seconds(60)))], worker: worker)
            try await queue.cancelHeld([promise.id])
            try await queue.release([promise.id])
            #expect(try await queue.upload(promise.id)?.status == .queued)
            #expect(try await queue.claim(worker: worker, room: 1).isEmpty)
        }
    }

    @Test func `who enqueues without a hold ends the hold of an earlier post`() async throws {
        try await withQueue { queue, worker in
            let promise = UploadPromise.example()
            _ = try await queue.enqueue([promise], hold: .seconds(60))
            _ = try await queue.enqueue([promise])
            try await queue.cancelHeld([promise.id])
            #expect(try await queue.claim(worker: worker, room: 1).map(\.id) == [promise.id])
        }
    }
}
