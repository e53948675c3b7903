import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct GivenUpCopiesTests {
    private func sweep(_ here: Storeroom) async throws -> SweepSummary {
        var sweeper = Sweeper(connections: here.connections, logger: .quiet)
        sweeper.ahead = 25 * 3600
        return try #require(try await sweeper.sweep())
    }

    /// An upload whose copy is there, and that was cancelled before its worker could say so.
    private func cancelledWithCopy(_ here: Storeroom, key: String) async throws -> UUID {
        let id = try await here.upload("withdrawn", key: key)
        let (job, worker) = try await here.claim()
        guard case .stored = try await here.move(job, worker: worker) else { throw Unexpected() }
        _ = try await here.queue.client.query("select s3file.cancel(\(id))")
        let settled = try await here.queue.settle([(job, .retry(code: "lost", message: "", delay: nil))], worker: worker)
        #expect(settled[id]?.status == .cancelled)
        return id
    }

    private struct Unexpected: Error {}

    @Test func `the copy of an upload that was cancelled while it moved goes with its tmp object`() async throws {
        try await Storeroom.with { here in
            let id = try await self.cancelledWithCopy(here, key: "docs/withdrawn.txt")
            _ = try await here.upload("kept", key: "docs/kept.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.queue.settle([(job, try await here.move(job, worker: worker))], worker: worker)

            let summary = try await self.sweep(here)
            #expect(summary.copiesRemoved == 1 && summary.failed == 0)
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys == ["docs/kept.txt"])
            // What is gone cannot be taken up again.
            let taken = try await here.queue.client.query("select s3file.retry(array[\(id)]) as taken")[0]["taken", Int64.self]
            #expect(taken == 0)
            let again = try await self.sweep(here)
            #expect(again.copiesRemoved == 0)
        }
    }

    @Test func `somebody else's object at the key of a cancelled upload stays`() async throws {
        try await Storeroom.with { here in
            _ = try await self.cancelledWithCopy(here, key: "docs/x.txt")
            _ = try await here.s3.putObject(bucket: here.bucket, key: "docs/x.txt", body: ByteBuffer(string: "a stranger's"))
            let summary = try await self.sweep(here)
            #expect(summary.copiesRemoved == 0 && summary.removed == 1)
            let text = try await here.text(at: "docs/x.txt")
            #expect(text == "a stranger's")
        }
    }

    @Test func `a failed upload keeps its copy with its tmp object for a week, and then both go`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("unproved", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            guard case .stored = try await here.move(job, worker: worker) else { throw Unexpected() }
            _ = try await here.queue.settle([(job, .failed(code: "copy_unproved", message: ""))], worker: worker)
            let early = try await self.sweep(here)
            #expect(early.copiesRemoved == 0 && early.kept == 1)
            _ = try await here.queue.client.query(
                "update s3file.upload set finished_at = finished_at - interval '8 days' where id = \(id)"
            )
            let late = try await self.sweep(here)
            #expect(late.copiesRemoved == 1 && late.removed == 1)
            let keys = try await here.keys()
            #expect(keys.isEmpty)
        }
    }

    @Test func `in a bucket with versions each attempt's copy goes, and no marker hides them`() async throws {
        try await Storeroom.with { here in
            try await here.s3.putBucketVersioning(here.bucket, isEnabled: true)
            _ = try await self.cancelledWithCopy(here, key: "docs/x.txt")
            // Another attempt copied over what the first had left.
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.txt")
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: "docs/x.txt",
                body: ByteBuffer(string: "withdrawn"),
                attributes: S3ObjectAttributes(metadata: head.metadata)
            )
            let summary = try await self.sweep(here)
            #expect(summary.copiesRemoved == 2)
            let left = try await here.s3.listObjectVersions(bucket: here.bucket, prefix: "docs/")
            #expect(left.entries.isEmpty)
        }
    }

    @Test func `bytes that are others than were verified are kept no week, and a strange key beside them holds nothing up`()
        async throws
    {
        try await Storeroom.with { here in
            _ = try await here.upload("changed", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            guard case .stored = try await here.move(job, worker: worker) else { throw Unexpected() }
            _ = try await here.queue.settle([(job, .sourceChanged)], worker: worker)
            for key in ["tmp/s3file/f/../x", "tmp/s3file/f//y"] {
                _ = try await here.s3.putObject(bucket: here.bucket, key: key, body: ByteBuffer(string: "x"))
            }
            let summary = try await self.sweep(here)
            #expect(summary.copiesRemoved == 1 && summary.removed == 3 && summary.failed == 0)
            let keys = try await here.keys()
            #expect(keys.isEmpty)
        }
    }

    @Test func `who may have left a copy keeps its row until a sweep has looked`() async throws {
        try await Storeroom.with { here in
            let id = try await self.cancelledWithCopy(here, key: "docs/x.txt")
            _ = try await here.queue.client.query(
                "update s3file.upload set finished_at = finished_at - interval '20 days' where id = \(id)"
            )
            func prune() async throws -> Int {
                try await here.queue.prune(storedFor: nil, unstoredFor: .zero, after: nil, limit: 10).pruned
            }
            // Ids tell the time: what was begun in this very moment is not old.
            try await Task.sleep(for: .milliseconds(5))
            let early = try await prune()
            #expect(early == 0)
            _ = try await self.sweep(here)
            let late = try await prune()
            #expect(late == 1)
        }
    }

    @Test func `while the store refuses to delete a copy its tmp object stays, for the next pass to find both`() async throws {
        try await Storeroom.with(rules: "internal-error operation=DeleteObject prefix=docs/") { here in
            _ = try await self.cancelledWithCopy(here, key: "docs/x.txt")
            let refused = try await self.sweep(here)
            #expect(
                refused.copiesRemoved == 0 && refused.removed == 0 && refused.failed == 1 && refused.failure == "InternalError"
            )
            let keys = try await here.keys()
            #expect(keys.count == 2)
        }
    }
}
