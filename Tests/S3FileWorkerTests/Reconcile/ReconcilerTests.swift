import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Postgres
import S3
import ServiceLifecycle
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct ReconcilerTests {
    /// What every repair is given.
    private func all(_ options: inout Reconciler.Options) {
        (options.applies, options.forces) = (true, true)
    }

    @Test func `where all is well nothing is found, whatever the keys look like`() async throws {
        try await Storeroom.with { here in
            for (index, key) in ["a", "docs/é", "docs/e\u{301}", "docs/z", "docs/🦊", "docs/\u{FFFD}", "tmp/other"].enumerated() {
                try await here.store("text \(index)", key: key)
            }
            _ = try await here.upload("waits")
            try await here.put("foreign", "x")
            try await here.put("tmp/s3file0", "x")
            let (found, summary) = try await here.reconcile(hoursAhead: 1) { $0.checksStamps = true }
            #expect(found == [] && summary.open == 0)
            #expect(summary.objects == 9 && summary.uploads == 8 && summary.tmpObjects == 1 && summary.hidden == 0)
        }
    }

    // MARK: What is found

    @Test
    func `a stored file that is gone is missing; it is stored again while its tmp object is there, and else nothing is done`()
        async throws
    {
        try await Storeroom.with { here in
            let kept = try await here.store("kept", key: "docs/kept", leavesTmp: true)
            let lost = try await here.store("lost", key: "docs/lost")
            for key in ["docs/kept", "docs/lost"] { try await here.delete(key) }
            let looked = try await here.reconcile(hoursAhead: 0)
            #expect(looked.found.map(\.kind) == [.missing, .missing])
            #expect(looked.found.map(\.upload) == [kept, lost])
            #expect(looked.found.map(\.repair) == [.storeAgain, .forget])
            #expect(looked.found.allSatisfy { $0.outcome == .reported } && looked.summary.open == 2)

            let mended = try await here.reconcile(hoursAhead: 0) { $0.applies = true }
            #expect(mended.found.map(\.outcome) == [.repaired, .needsForce])
            #expect(mended.summary.counts[.missing] == .init(found: 2, repaired: 1, changed: 0))
            #expect(try await here.queue.upload(kept)?.status == .queued)
            let (job, worker) = try await here.claim()
            #expect(job.attempt == 2)
            let outcome = try await here.move(job, worker: worker, capabilities: .all)
            _ = try await here.queue.settle([(job, outcome)], worker: worker)
            #expect(try await here.text(at: "docs/kept") == "kept")

            let forced = try await here.reconcile(hoursAhead: 0, self.all)
            #expect(forced.found.map(\.outcome) == [.repaired])
            #expect(try await here.queue.upload(lost) == nil)
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
        }
    }

    @Test func `an object that was changed is told by its size, its ETag or its stamp, and left as it is`() async throws {
        try await Storeroom.with { here in
            let ids = try await [
                here.store("larger", key: "docs/1"), here.store("other!", key: "docs/2"), here.store("theirs", key: "docs/3"),
                here.store("same", key: "docs/4"),
            ]
            func stamp(_ id: UUID) -> [String: String] {
                [Stamp.uploadName: id.uuidString.lowercased(), Stamp.sourceName: "x"]
            }
            try await here.put("docs/1", "larger now", metadata: stamp(ids[0]))
            try await here.put("docs/2", "?other", metadata: stamp(ids[1]))
            try await here.put("docs/3", "somebody's", metadata: [:])
            try await here.put("docs/4", "same")
            let quick = try await here.reconcile(hoursAhead: 0)
            #expect(quick.found.map(\.kind) == [.wrongSize, .wrongETag, .unstamped])
            #expect(quick.found.first?.expected?.size == 6 && quick.found.first?.found?.size == 10)
            let thorough = try await here.reconcile(hoursAhead: 0) {
                $0.checksStamps = true
                self.all(&$0)
            }
            #expect(thorough.found.map(\.kind) == [.wrongSize, .wrongETag, .unstamped, .unstamped])
            #expect(thorough.found.allSatisfy { $0.outcome == .reported })
            #expect(try await here.text(at: "docs/3") == "somebody's")
        }
    }

    @Test func `an object with a stamp that no upload has is an orphan, and a copy that somebody made of one is not ours`()
        async throws
    {
        try await Storeroom.with { here in
            let id = try await here.store("text", key: "docs/x")
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x")
            // A backup within the bucket has our stamp, and is not ours.
            try await here.put("backup/x", "text", metadata: head.metadata)
            try await here.put("docs/foreign", "x", metadata: [Stamp.uploadName: "something else"])
            #expect(try await here.reconcile().found == [])

            try await here.execute("delete from s3file.upload")
            let looked = try await here.reconcile()
            #expect(looked.found.map(\.kind) == [.orphaned, .orphaned] && looked.found.allSatisfy { $0.upload == id })
            #expect(try await here.reconcile { $0.looksForOrphans = false }.found == [])
            // What is young may be of a record that is just being restored.
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
            // Records that are forgotten on purpose leave such files behind.
            let pruned = try await here.reconcile(keepingStored: .seconds(86_400))
            #expect(pruned.found == [])
            // Nor is a clock believed to the minute.
            #expect(try await here.reconcile(hoursAhead: 23.9, keepingStored: .seconds(86_400)).found == [])

            let careful = try await here.reconcile { $0.applies = true }
            #expect(careful.found.map(\.outcome) == [.needsForce, .needsForce])
            let forced = try await here.reconcile {
                self.all(&$0)
                $0.limit = 1
            }
            #expect(forced.found.map(\.outcome) == [.repaired, .beyondLimit] && forced.summary.open == 1)
            #expect(try await here.keys() == ["docs/foreign", "docs/x"])
            _ = try await here.reconcile(self.all)
            #expect(try await here.keys() == ["docs/foreign"])
            // What was removed is in the record, and its key is nobody's meanwhile.
            let rows = try await here.queue.client.query(
                "select key::text from s3file.upload where error_code = 'orphan_removed' order by key"
            )
            #expect(try rows.map { try $0["key", String.self] } == ["backup/x", "docs/x"])
            #expect(try await here.reconcile().found == [])

            // Somebody's copy of a file that is stored may come to lie there, and has its stamp.
            let other = try await here.store("other", key: "docs/other")
            let stamped = try await here.s3.headObject(bucket: here.bucket, key: "docs/other").metadata
            try await here.put("docs/x", "other", metadata: stamped)
            #expect(try await here.reconcile(self.all).found == [])
            let isBuried = try await here.queue.buryCopy(
                of: other,
                attempt: nil,
                bucket: here.bucket,
                key: "docs/x",
                size: 5,
                etag: "\"x\""
            )
            #expect(!isBuried)
        }
    }

    @Test func `the copy of a failed upload is taken up again, that of a cancelled one goes by force alone`() async throws {
        try await Storeroom.with { here in
            for key in ["docs/cancelled", "docs/failed"] {
                _ = try await here.upload(key, key: key)
                let (job, worker) = try await here.claim()
                // Copied, and the worker died before it could say so.
                _ = try await here.move(job, worker: worker, capabilities: .all)
                let outcome = Outcome.failed(code: "worker_lost", message: "x")
                if key == "docs/cancelled" { try await here.queue.cancel([job.id]) }
                _ = try await here.queue.settle([(job, key == "docs/cancelled" ? .givenBack : outcome)], worker: worker)
            }
            let mended = try await here.reconcile(hoursAhead: 1) { $0.applies = true }
            #expect(
                mended.found.map(\.kind) == [.orphaned, .orphaned] && mended.found.map(\.outcome) == [.needsForce, .repaired]
            )
            let (job, worker) = try await here.claim()
            #expect(job.key == "docs/failed" && job.attempt == 2)
            guard case .stored = try await here.move(job, worker: worker, capabilities: .all) else { throw Unexpected(job) }

            let forced = try await here.reconcile(hoursAhead: 1, self.all)
            #expect(forced.found.map(\.outcome) == [.repaired])
            #expect(try await here.keys(prefix: "docs/") == ["docs/failed"])
            // Nobody can claim it again.
            #expect(try await here.queue.retry(try #require(forced.found.first?.upload.map { [$0] })) == 0)
        }
    }

    @Test func `what waits and has lost its tmp object is told, and what its worker has finished meanwhile is not`() async throws
    {
        try await Storeroom.with { here in
            let id = try await here.upload("text", key: "docs/x")
            let tmpKey = try #require(try await here.keys(prefix: "tmp/").first)
            try await here.delete(tmpKey)
            let (found, _) = try await here.reconcile(hoursAhead: 0, self.all)
            #expect(found.map(\.kind) == [.sourceMissing] && found.first?.upload == id && found.first?.outcome == .reported)
        }
    }

    @Test func `a tmp object of a stored upload goes while the file is seen to be there, and a stale one as in the sweep`()
        async throws
    {
        try await Storeroom.with { here in
            let ids = try await [
                here.store("one", key: "docs/1", leavesTmp: true), here.store("two", key: "docs/2", leavesTmp: true),
            ]
            try await here.put("tmp/s3file/f/stale", "12345")
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
            let looked = try await here.reconcile()
            #expect(Set(looked.found.compactMap(\.upload)) == Set(ids))
            #expect(looked.found.map(\.kind).sorted { $0.rawValue < $1.rawValue } == [.tmpLeft, .tmpLeft, .tmpStale])
            try await here.delete("docs/2")
            let mended = try await here.reconcile { $0.applies = true }
            // The second is stored again from it first.
            #expect(mended.found.first?.kind == .missing && mended.found.first?.outcome == .repaired)
            #expect(mended.summary.counts[.tmpLeft] == .init(found: 1, repaired: 1, changed: 0))
            #expect(mended.summary.counts[.tmpStale] == .init(found: 1, repaired: 1, changed: 0))
            #expect(try await here.keys(prefix: "tmp/").count == 1)
            #expect(try await here.queue.upload(ids[1])?.status == .queued)
        }
    }

    @Test func `uploads in parts that nobody ends are given up, and those of others let be`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("text", key: "docs/x")
            for key in ["docs/x", "somebody/elses", "tmp/s3file/f/video"] {
                _ = try await here.s3.createMultipartUpload(bucket: here.bucket, key: key)
            }
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
            let (found, _) = try await here.reconcile { $0.applies = true }
            #expect(
                found.map(\.kind) == [.staleMultipart, .staleMultipart] && found.map(\.key) == ["tmp/s3file/f/video", "docs/x"]
            )
            #expect(found.allSatisfy { $0.outcome == .repaired })
            let left = try await here.s3.listMultipartUploads(bucket: here.bucket).uploads
            #expect(left.map(\.key) == ["somebody/elses"])
        }
    }

    // MARK: The queue

    @Test func `what is in no queue gets its job back, and a job of nothing goes`() async throws {
        try await Storeroom.with { here in
            let lost = try await here.upload("text", key: "docs/x")
            try await here.execute("delete from s3file.job")
            try await here.execute("insert into s3file.job (upload_id) values ('01900000-0000-7000-8000-000000000001')")
            let (found, _) = try await here.reconcile(hoursAhead: 0) { $0.applies = true }
            #expect(found.map(\.kind) == [.stuck, .stuck] && found.allSatisfy { $0.outcome == .repaired })
            let jobs = try await here.queue.client.query("select upload_id from s3file.job")
            #expect(try jobs.map { try $0["upload_id", UUID.self] } == [lost])
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
        }
    }

    @Test func `uploads that no worker comes for are told once a queue, unless it is paused, and those of a dead worker go back`()
        async throws
    {
        try await Storeroom.with { here in
            _ = try await here.enqueueUnmoved(3)
            try await here.execute("update s3file.job set run_at = now() - interval '2 hours'")
            try await here.execute("update s3file.upload set tmp_bucket = 'elsewhere'")
            let (found, _) = try await here.reconcile(hoursAhead: 0)
            #expect(found.map(\.kind) == [.stuck] && found[0].detail.hasPrefix("3 uploads are due in the queue \"default\""))
            try await here.execute("update s3file.queue set paused = true")
            #expect(try await here.reconcile(hoursAhead: 0).found == [])
            try await here.execute("update s3file.queue set paused = false")

            let (job, worker) = try await here.claim()
            #expect(try await here.reconcile(hoursAhead: 0).found.count == 1)
            try await here.execute("update s3file.worker set expires_at = now() - interval '1 hour' where id = \(worker)")
            let mended = try await here.reconcile(hoursAhead: 0) { $0.applies = true }
            let ofDead = try #require(mended.found.first { $0.upload == job.id })
            #expect(ofDead.repair == .reap && ofDead.outcome == .repaired)
            #expect(try await here.queue.upload(job.id)?.status == .queued)
            #expect(try await !here.queue.beat(worker: worker))
        }
    }

    // MARK: Beside workers

    @Test func `beside workers that move and delete nothing is found that is not so`() async throws {
        try await Storeroom.with { here in
            let pool = try WorkerPool(configuration: here.connections.configuration, logger: .quiet)
            let group = ServiceGroup(services: [pool], logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                let uploading = NIOLockedValueBox(true)
                tasks.addTask {
                    for index in 0..<150 { _ = try await here.upload("text \(index)", key: "docs/\(index)") }
                    uploading.withLockedValue { $0 = false }
                }
                var rounds = 0
                // With no grace at all: what is told is so, however young.
                repeat {
                    let (found, _) = try await here.reconcile(hoursAhead: 0) {
                        $0.checksStamps = true
                        $0.grace = .zero
                    }
                    // A tmp object goes a moment after its upload is stored; without grace that moment shows.
                    #expect(found.filter { $0.kind != .tmpLeft } == [])
                    rounds += 1
                } while uploading.withLockedValue { $0 } || rounds < 3
                try await eventually("all are stored and gone from tmp") { try await here.keys(prefix: "tmp/s3file/f/").isEmpty }
                #expect(try await here.reconcile { $0.checksStamps = true }.found == [])
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `a repair whose ground has gone meanwhile does nothing`() async throws {
        try await Storeroom.with { here in
            let id = try await here.store("text", key: "docs/x", leavesTmp: true)
            let reconciler = Reconciler(connections: here.connections, logger: .quiet)
            let repairs = Repairs(reconciler: reconciler, now: Date())
            let record = try #require(try await here.queue.comparedAgain([id]).first)
            func found(_ kind: Disagreement.Kind, _ key: String) -> Disagreement {
                Disagreement(
                    kind: kind,
                    upload: id,
                    bucket: here.bucket,
                    key: key,
                    detail: "",
                    found: .init(size: 4, etag: "\"e\""),
                    record: record
                )
            }
            // The object is there after all.
            #expect(try await repairs.apply(.storeAgain, found(.missing, "docs/x")) == .changed)
            #expect(try await repairs.apply(.forget, found(.missing, "docs/x")) == .changed)
            // Another object than the one that was found.
            #expect(try await repairs.apply(.deleteObject, found(.orphaned, "docs/x")) == .changed)
            #expect(try await repairs.apply(.deleteTmp, found(.tmpLeft, record.tmpKey)) == .changed)
            #expect(try await repairs.apply(.sweep, found(.tmpStale, record.tmpKey)) == .changed)
            #expect(try await repairs.apply(.takeUp, found(.orphaned, "docs/x")) == .changed)
            #expect(try await repairs.apply(.mendJob, found(.stuck, "docs/x")) == .changed)
            // Its upload has been stored again by somebody.
            try await here.delete("docs/x")
            try await here.execute("update s3file.upload set updated_at = now()")
            #expect(try await repairs.apply(.storeAgain, found(.missing, "docs/x")) == .changed)
            #expect(try await here.queue.upload(id)?.status == .stored)
            #expect(try await here.keys(prefix: "tmp/").count == 1)
        }
    }
}
