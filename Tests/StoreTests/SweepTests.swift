import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

/// What the sweep and the reconciliation do on each store.
@Suite(.timeLimit(.minutes(3))) struct SweepTests {
    @Test(arguments: KnownStore.available)
    func `the sweep takes what is stale, and nothing that is claimed or elsewhere`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            for name in ["a", "ü 文", "100%", "a+b&c<d>"] { try await here.put("tmp/s3file/f/\(name)", "12345") }
            try await here.put("tmp/s3file/f/live", "live")
            try await here.put("elsewhere", "x")
            _ = try await site.enqueue("tmp/s3file/f/live", key: "docs/live")
            let upload = try await here.client.createMultipartUpload(bucket: here.name, key: "tmp/s3file/f/video")
            _ = try await here.client.uploadPart(
                bucket: here.name,
                key: "tmp/s3file/f/video",
                uploadID: upload,
                number: 1,
                body: ByteBuffer(string: "1234567")
            )
            let summary = try await site.sweep()
            #expect(summary.listed == 5 && summary.removed == 4 && summary.bytesFreed == 20, "\(summary)")
            #expect(summary.kept == 1 && summary.failed == 0 && summary.busy == 0, "\(summary)")
            #expect(summary.uploadsGivenUp == 1 && summary.partBytesFreed == 7, "\(summary)")
            #expect(try await here.keys() == ["elsewhere", "tmp/s3file/f/live"])
            #expect(try await here.client.listMultipartUploads(bucket: here.name).uploads.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `in a bucket with versions no version of what is stale is left`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            try await here.client.putBucketVersioning(here.name, isEnabled: true)
            #expect(try await here.client.bucketVersioning(here.name) == .enabled)
            for text in ["one", "two"] { try await here.put("tmp/s3file/f/twice", text) }
            try await here.put("tmp/s3file/f/hidden", "12345")
            try await here.client.deleteObject(bucket: here.name, key: "tmp/s3file/f/hidden")
            try await here.put("tmp/s3file/f/live", "live")
            _ = try await site.enqueue("tmp/s3file/f/live", key: "docs/live")
            let summary = try await site.sweep()
            #expect(summary.removed == 4 && summary.bytesFreed == 11 && summary.kept == 1 && summary.failed == 0, "\(summary)")
            let left = try await here.client.listObjectVersions(bucket: here.name, prefix: "tmp/s3file/f/").entries
            #expect(left.map(\.key) == ["tmp/s3file/f/live"])
        }
    }

    @Test(arguments: KnownStore.available)
    func `where all is well a reconciliation finds nothing, and else what is the matter`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            _ = try await site.store(ByteBuffer(string: "one"), key: "docs/1")
            let gone = try await site.store(ByteBuffer(string: "two"), key: "docs/2")
            let replaced = try await site.store(ByteBuffer(string: "three"), key: "docs/ü 3")
            _ = try await site.store(ByteBuffer(repeating: 0x61, count: 6 << 20), key: "docs/parts", copyLimit: 1 << 20)
            try await here.put("foreign", "x")
            #expect(try await site.reconcile() == [])

            try await here.client.deleteObject(bucket: here.name, key: "docs/2")
            try await here.put("docs/ü 3", "somebody's")
            let found = try await site.reconcile(applies: true)
            #expect(found.map(\.kind) == [.missing, .unstamped] && found.map(\.upload) == [gone, replaced])
            #expect(found.map(\.outcome) == [.repaired, .reported])
            _ = try await site.queue.client.query("delete from s3file.upload where key = 'docs/1'")
            let orphaned = try await site.reconcile(applies: true)
            #expect(orphaned.map(\.kind) == [.orphaned, .unstamped] && orphaned.first?.outcome == .repaired)
            #expect(try await here.keys() == ["docs/parts", "docs/ü 3", "foreign"])
        }
    }

    /// Keys of the tmp prefix lie between those of stored files, and may be many.
    @Test(arguments: [KnownStore.newCeph, .devServer].filter(\.isAvailable))
    func `a reconciliation goes over the tmp objects of a bucket, and finds what is behind them`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            _ = try await site.store(ByteBuffer(string: "before"), key: "docs/1")
            _ = try await site.store(ByteBuffer(string: "behind"), key: "zoo/1")
            try await withThrowingTaskGroup { group in
                for index in 0..<1_100 {
                    group.addTask { try await here.put("tmp/s3file/f/\(index)") }
                    if index >= 32 { _ = try await group.next() }
                }
                try await group.waitForAll()
            }
            #expect(try await site.reconcile(hoursAhead: 0) == [])
            try await here.client.deleteObject(bucket: here.name, key: "zoo/1")
            #expect(try await site.reconcile(hoursAhead: 0).map(\.key) == ["zoo/1"])
        }
    }
}

extension StoreSite {
    /// A day later everything is old.
    fileprivate func sweep() async throws -> SweepSummary {
        var sweeper = Sweeper(connections: self.connections, logger: .quiet)
        sweeper.ahead = 25 * 3600
        return try #require(try await sweeper.sweep())
    }

    /// Stores it as a worker does, and deletes the tmp object.
    fileprivate func store(_ text: ByteBuffer, key: String, copyLimit: Int64 = 1 << 30) async throws -> UUID {
        let tmpKey = "tmp/s3file/f/\(UUID().uuidString)"
        _ = try await self.bucket.client.putObject(bucket: self.bucket.name, key: tmpKey, body: text)
        let id = try await self.enqueue(tmpKey, key: key)
        let worker = try await self.queue.register(host: "test", pid: 1, version: "0")
        // Where nothing but its date proves a copy, the source is too young at first.
        return try await eventually {
            guard let job = try await self.queue.claim(worker: worker, room: 1, queues: nil, lanes: nil).first else {
                return nil
            }
            var options = WorkerPool.Options()
            options.copyLimit = copyLimit
            let attempt = Attempt(job: job, worker: worker, record: self.queue, logger: .quiet) {}
            let outcome = await Mover(
                s3: self.bucket.client,
                options: options,
                capabilities: self.bucket.traits.capabilities,
                attempt: attempt
            ).move()
            guard let batch = try await self.queue.settle([(job, outcome)], worker: worker)[id]?.tmpDeletion else {
                return nil
            }
            try await self.bucket.client.deleteObject(bucket: job.tmpBucket, key: job.tmpKey, versionID: job.versionID)
            try await self.queue.noteTmpDeleted([job.tmpObject(batch: batch)])
            try await AbandonedMoves(s3: self.bucket.client, queue: self.queue, logger: .quiet).giveUp()
            return id
        }
    }

    fileprivate func reconcile(hoursAhead: Double = 48, applies: Bool = false) async throws -> [Disagreement] {
        var options = Reconciler.Options()
        options.checksStamps = true
        options.applies = applies
        options.forces = applies
        var reconciler = Reconciler(connections: self.connections, options: options, logger: .quiet)
        reconciler.ahead = hoursAhead * 3600
        var found: [Disagreement] = []
        _ = try await reconciler.run { found.append($0) }
        return found
    }
}
