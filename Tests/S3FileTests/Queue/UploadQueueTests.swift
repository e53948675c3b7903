import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct UploadQueueTests {
    /// A queue on tables of its own, with a live worker.
    private func withQueue<R: Sendable>(_ body: (UploadQueue, Int64) async throws -> R) async throws -> R {
        try await withMigratedDatabase { client, _ in
            let queue = UploadQueue(client: client)
            return try await body(queue, try await queue.register(host: "test", pid: 1, version: "0"))
        }
    }

    // MARK: Enqueue

    @Test func `an enqueued promise is queued under its id and key`() async throws {
        try await self.withQueue { queue, _ in
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
        try await self.withQueue { queue, _ in
            let first = UploadPromise.example(tmpKey: "tmp/s3file/f/a")
            let second = UploadPromise.example(tmpKey: "tmp/s3file/f/a", key: "elsewhere/x")
            let uploads = try await queue.enqueue([first], hold: nil) + queue.enqueue([second], hold: nil)
            #expect(uploads.map(\.id) == [first.id, first.id])
            #expect(uploads[1].key == first.requestedKey)
        }
    }

    @Test func `a promise of somebody else is refused`() async throws {
        try await self.withQueue { queue, _ in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", owner: "one")], hold: nil)
            let error = await #expect(throws: PostgresError.self) {
                try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", owner: "other")], hold: nil)
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test func `two files of one name get two keys`() async throws {
        try await self.withQueue { queue, _ in
            let uploads = try await queue.enqueue(
                [.example(key: "docs/report.tar.gz"), .example(key: "docs/report.tar.gz")],
                hold: nil
            )
            #expect(uploads[0].key == "docs/report.tar.gz")
            #expect(try #require(uploads[1].key).wholeMatch(of: /docs\/report\.tar_[A-Za-z0-9]{7}\.gz/) != nil)
        }
    }

    @Test func `enqueuing many is all or none`() async throws {
        try await self.withQueue { queue, _ async throws in
            let good = UploadPromise.example()
            await #expect(throws: PostgresError.self) {
                try await queue.enqueue([good, .example(tmpKey: "tmp/../x")], hold: nil)
            }
            #expect(try await queue.upload(good.id) == nil)
        }
    }

    @Test func `a row that somebody's transaction rolls back was never there, and one it commits is claimed`() async throws {
        struct Undo: Error {}
        try await self.withQueue { queue, worker in
            let enqueue: SQL =
                "select id from s3file.enqueue(bucket => 'media', tmp_key => 'tmp/s3file/f/sql', etag => '\"e\"', size => 1, key => 'a/x')"
            await #expect(throws: Undo.self) {
                try await queue.client.withTransaction { transaction in
                    _ = try await transaction.query(enqueue)
                    throw Undo()
                }
            }
            #expect(try await queue.claim(worker: worker, limit: 10).isEmpty)
            let id = try await queue.client.withTransaction { try await $0.query(enqueue)[0]["id", UUID.self] }
            #expect(try await queue.claim(worker: worker, limit: 10).map(\.id) == [id])
        }
    }

    @Test(arguments: [
        ("size => -1", "upload_size_range"), ("size => 1, tmp_key => 'a/../b'", "upload_tmp_key_canonical"),
        ("size => 1, key => '/a'", "upload_key_canonical"),
        ("size => 1, filename => 'x', key => repeat('a', 1025)", "upload_key_length"),
        ("size => 1, etag => ''", "upload_etag_length"), ("size => 1, metadata => '[]'", "upload_metadata_bounded"),
        ("size => 1, metadata => jsonb_build_object('a', repeat('x', 9000))", "upload_metadata_bounded"),
        ("size => 1, owner => repeat('x', 300)", "upload_owner_length"),
    ])
    func `bad input of a SQL caller is refused by a named rule`(arguments: String, rule: String) async throws {
        try await self.withQueue { queue, _ in
            var given = ["bucket => 'media'"]
            for part in ["tmp_key => 'tmp/s3file/f/x'", "etag => '\"e\"'", "key => 'a/x'"]
            where !arguments.contains(String(part.prefix { $0 != " " }) + " =>")
                || (part.hasPrefix("key") && arguments.contains("tmp_key"))
            {
                given.append(part)
            }
            let error = await #expect(throws: PostgresError.self) {
                try await queue.client.query(
                    SQL(unescaped: "select s3file.enqueue(\(given.joined(separator: ", ")), \(arguments))")
                )
            }
            #expect(error?.constraintName == rule)
        }
    }

    // MARK: Hold, release, cancel

    @Test func `a held upload waits until it is released`() async throws {
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: .seconds(60))[0]
            #expect(try await queue.claim(worker: worker, limit: 10).isEmpty)
            try await queue.release([upload.id])
            #expect(try await queue.claim(worker: worker, limit: 10).map(\.id) == [upload.id])
        }
    }

    @Test func `a held upload that was given up can be posted again`() async throws {
        try await self.withQueue { queue, worker in
            let promise = UploadPromise.example(tmpKey: "tmp/s3file/f/a")
            _ = try await queue.enqueue([promise], hold: .seconds(60))
            try await queue.cancelHeld([promise.id])
            #expect(try await queue.upload(promise.id)?.status == .cancelled)
            let again = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)[0]
            #expect(again.id == promise.id && again.status == .queued)
            #expect(try await queue.claim(worker: worker, limit: 10).count == 1)
        }
    }

    @Test func `giving up does not touch what another post of the form released, and releasing brings back what it gave up`()
        async throws
    {
        try await self.withQueue { queue, _ in
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
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            try await queue.cancel([upload.id])
            try await queue.release([upload.id])
            #expect(try await queue.upload(upload.id)?.status == .cancelled)
            #expect(try await queue.claim(worker: worker, limit: 10).isEmpty)
        }
    }

    @Test func `a failed upload that is posted again is tried again, with what lies there now`() async throws {
        try await self.withQueue { queue, worker in
            let first = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)[0]
            let job = try await queue.claim(worker: worker, limit: 1)[0]
            _ = try await queue.settle([(job, Outcome.failed(code: "source_changed", message: "x"))], worker: worker)
            let again = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", etag: "\"new\"")], hold: nil)[0]
            #expect(again.id == first.id && again.status == .queued && again.error == nil)
            let retried = try await queue.claim(worker: worker, limit: 1)[0]
            // The attempt goes on counting: it fences.
            #expect(retried.attempt == 2 && retried.etag == "\"new\"")
        }
    }

    @Test func `other bytes under a key that was enqueued are refused, not answered with the old upload`() async throws {
        try await self.withQueue { queue, _ in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)
            let error = await #expect(throws: PostgresError.self) {
                try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a", etag: "\"new\"")], hold: nil)
            }
            #expect(error?.sqlState == "SF409" && error?.statementIndex == 0)
        }
    }

    @Test func `forms with the same names in opposite orders do not wait for one another for ever`() async throws {
        try await self.withQueue { queue, _ in
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

    // MARK: Claim and settle

    @Test func `what a store refuses waits, and costs no attempt`() async throws {
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let job = try await queue.claim(worker: worker, limit: 1)[0]
            let settled = try await queue.settle([(job, .parked(code: "AccessDenied", message: "No."))], worker: worker)
            #expect(settled[upload.id] == .queued)
            let parked = try #require(try await queue.upload(upload.id))
            #expect(parked.error?.code == "AccessDenied" && parked.error?.retryable == true && parked.maxAttempts == 13)
            #expect(try await queue.claim(worker: worker, limit: 1).isEmpty)
        }
    }

    @Test func `jobs whose claim went astray are put back, those in flight are not`() async throws {
        try await self.withQueue { queue, worker in
            _ = try await queue.enqueue([.example(), .example()], hold: nil)
            let jobs = try await queue.claim(worker: worker, limit: 2)
            let count = try await queue.giveBackUnknown(worker: worker, inFlight: [jobs[0].id])
            #expect(count == 1)
            #expect(try await queue.upload(jobs[0].id)?.status == .moving)
            let again = try await queue.claim(worker: worker, limit: 2)
            #expect(again.map(\.id) == [jobs[1].id] && again[0].attempt == 2)
            // The lost attempt settles nothing any more.
            let stale = try await queue.settle([(jobs[1], .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(stale.isEmpty)
        }
    }

    @Test func `two workers claiming at once never get the same job, and none is left`() async throws {
        try await self.withQueue { queue, _ in
            _ = try await queue.enqueue((0..<60).map { _ in .example() }, hold: nil)
            let claimed = try await withThrowingTaskGroup(of: [UUID].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let worker = try await queue.register(host: "test", pid: 2, version: "0")
                        var ids: [UUID] = []
                        while true {
                            let jobs = try await queue.claim(worker: worker, limit: 7)
                            if jobs.isEmpty { return ids }
                            ids += jobs.map(\.id)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            // A claim that finds rows locked by another comes back short, so "empty" can be early: what is left is claimed here.
            let late = try await queue.claim(worker: try await queue.register(host: "test", pid: 3, version: "0"), limit: 100)
                .map(\.id)
            #expect(claimed.count + late.count == 60)
            #expect(Set(claimed + late).count == 60)
        }
    }

    @Test func `each outcome becomes its status`() async throws {
        try await self.withQueue { queue, worker in
            _ = try await queue.enqueue((0..<4).map { _ in .example() }, hold: nil)
            let jobs = try await queue.claim(worker: worker, limit: 10)
            let outcomes: [Outcome] = [
                .stored(etag: "\"e\"", versionID: nil), .retry(code: "SlowDown", message: "Slow down.", delay: .seconds(60)),
                .failed(code: "AccessDenied", message: "No."), .givenBack,
            ]
            let settled = try await queue.settle(zip(jobs, outcomes).map { ($0, $1) }, worker: worker)
            #expect(jobs.map { settled[$0.id] } == [.stored, .queued, .failed, .queued])

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
            #expect(try await queue.claim(worker: worker, limit: 10).map(\.id) == [jobs[3].id])
        }
    }

    @Test func `an upload that has used up its attempts is failed, not retried`() async throws {
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            _ = try await queue.client.query("update s3file.upload set max_attempts = 1 where id = \(upload.id)")
            let job = try await queue.claim(worker: worker, limit: 1)[0]
            let settled = try await queue.settle(
                [(job, .retry(code: "InternalError", message: "No.", delay: nil))],
                worker: worker
            )
            #expect(settled[upload.id] == .failed)
        }
    }

    @Test func `a worker that comes back after its lease can settle nothing`() async throws {
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let stale = try await queue.claim(worker: worker, limit: 1)[0]
            _ = try await queue.client.query(
                "update s3file.worker set expires_at = now() - interval '1 minute' where id = \(worker)"
            )
            #expect(try await queue.beat(worker: worker) == false)
            #expect(try await queue.claim(worker: worker, limit: 1).isEmpty)
            #expect(try await queue.reap() == 1)

            _ = try await queue.client.query("update s3file.upload set run_at = now() where id = \(upload.id)")
            let other = try await queue.register(host: "test", pid: 2, version: "0")
            let fresh = try await queue.claim(worker: other, limit: 1)[0]
            #expect(fresh.attempt == 2)
            #expect(try await queue.settle([(stale, .stored(etag: "\"e\"", versionID: nil))], worker: worker).isEmpty)
            #expect(
                try await queue.settle([(fresh, .stored(etag: "\"e\"", versionID: nil))], worker: other) == [upload.id: .stored]
            )
        }
    }

    @Test func `a job that keeps killing its workers ends as failed`() async throws {
        try await self.withQueue { queue, _ in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            _ = try await queue.client.query("update s3file.upload set max_attempts = 2 where id = \(upload.id)")
            for _ in 0..<2 {
                _ = try await queue.client.query("update s3file.upload set run_at = now() where id = \(upload.id) and state = 0")
                let worker = try await queue.register(host: "test", pid: 1, version: "0")
                #expect(try await queue.claim(worker: worker, limit: 1).count == 1)
                try await queue.unregister(worker: worker)
                #expect(try await queue.reap() == 1)
            }
            let failed = try #require(try await queue.upload(upload.id))
            #expect(failed.status == .failed && failed.error?.code == "worker_lost")
        }
    }

    @Test func `a moving upload that is cancelled ends as cancelled when it would have been tried again`() async throws {
        try await self.withQueue { queue, worker in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let job = try await queue.claim(worker: worker, limit: 1)[0]
            try await queue.cancel([upload.id])
            #expect(try await queue.upload(upload.id)?.status == .moving)
            let settled = try await queue.settle(
                [(job, .retry(code: "InternalError", message: "No.", delay: nil))],
                worker: worker
            )
            #expect(settled[upload.id] == .cancelled)
        }
    }

    // MARK: Tmp objects

    @Test func `a stale key is marked before it is deleted, a live one is left alone, and a late form is told`() async throws {
        try await self.withQueue { queue, _ in
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
        try await self.withQueue { queue, worker in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/a")], hold: nil)
            let job = try await queue.claim(worker: worker, limit: 1)[0]
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, limit: 10).isEmpty)
            _ = try await queue.settle([(job, .stored(etag: "\"e\"", versionID: nil))], worker: worker)
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, limit: 10).map(\.key) == ["tmp/s3file/f/a"])
            try await queue.noteTmpDeleted([job.id])
            #expect(try await queue.tmpObjectsLeft(olderThan: .zero, limit: 10).isEmpty)
        }
    }

    @Test func `the only copy of a failed upload is kept, and a stored file is never swept, wherever it lies`() async throws {
        try await self.withQueue { queue, worker in
            _ = try await queue.enqueue([.example(tmpKey: "tmp/s3file/f/failed")], hold: nil)
            let job = try await queue.claim(worker: worker, limit: 1)[0]
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
        try await self.withQueue { queue, _ async throws in
            #expect(try await queue.takeTurn("sweep", every: .seconds(60)))
            #expect(try await queue.takeTurn("sweep", every: .seconds(60)) == false)
        }
    }

    @Test func `the SQL view tells the same story`() async throws {
        try await self.withQueue { queue, _ in
            let upload = try await queue.enqueue([.example()], hold: nil)[0]
            let row = try await queue.client.query(
                "select status, key, attempt from s3file.upload_status where id = \(upload.id)"
            )[0]
            let (status, key) = (try row["status", String.self], try row["key", String?.self])
            #expect(status == "queued")
            #expect(key == upload.key)
        }
    }
}

extension UploadPromise {
    /// A promise as verification makes it.
    static func example(
        tmpKey: String = "tmp/s3file/f/\(UUID().uuidString)",
        key: String = "docs/\(UUID().uuidString).pdf",
        filename: String = "report.pdf",
        etag: String = "\"900150983cd24fb0d6963f7d28e17f72\"",
        owner: String? = "user-42"
    ) -> UploadPromise {
        UploadPromise(
            id: .version7(),
            field: "docs",
            tmpBucket: "media",
            tmpKey: tmpKey,
            filename: filename,
            size: 3,
            contentType: "application/pdf",
            etag: etag,
            versionID: nil,
            owner: owner,
            requestedKey: key
        )
    }
}
