import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct SourceProofTests {
    @Test func `in a bucket with versions the verified one is stored, whatever was posted since`() async throws {
        try await Storeroom.with { here in
            try await here.s3.putBucketVersioning(here.bucket, isEnabled: true)
            _ = try await here.upload("verified", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.s3.putObject(bucket: here.bucket, key: job.tmpKey, body: ByteBuffer(string: "swapped!"))
            let outcome = try await here.move(job, worker: worker)
            guard case .stored(_, let version?, .version, _) = outcome else { throw Unexpected(outcome) }
            #expect(!version.isEmpty)
            let stored = try await here.text(at: "docs/x.txt")
            #expect(stored == "verified")

            let settled = try await here.queue.settle([(job, outcome)], worker: worker)
            let batch = try #require(settled[job.id]?.tmpDeletion)
            let work = S3StoreWork(connections: here.connections, options: .init(), logger: .quiet)
            let (gone, failure) = try await work.deleteTmpObjects([job.tmpObject(batch: batch)], bucket: here.bucket)
            #expect(gone.count == 1 && failure == nil)
            // The other version is nobody's, and waits for the sweep.
            let left = try await here.s3.listObjectVersions(bucket: here.bucket, prefix: job.tmpKey).versions
            #expect(left.count == 1 && left.first?.versionID != job.versionID)
        }
    }

    @Test func `an ETag that is no digest is fenced to, and never recomputed`() async throws {
        try await Storeroom.with { here in
            let tmp = S3ObjectAttributes(contentType: "text/plain", encryption: .kms(keyID: nil))
            _ = try await here.upload("opaque", key: "docs/x.txt", attributes: tmp)
            let (job, worker) = try await here.claim()
            let outcome = try await here.move(job, worker: worker)
            guard case .stored(let etag, _, .sourceCondition, _) = outcome else { throw Unexpected(outcome) }
            #expect(!S3ObjectHead.isSameETag(etag, job.etag))
        }
    }

    @Test func `without any condition an opaque copy is proved by looking before and after, once a replacement would show`()
        async throws
    {
        try await Storeroom.with { here in
            let tmp = S3ObjectAttributes(contentType: "text/plain", encryption: .kms(keyID: nil))
            _ = try await here.upload("opaque", key: "docs/x.txt", attributes: tmp)
            let (job, worker) = try await here.claim()
            let young = try await here.move(job, worker: worker, capabilities: S3Capabilities())
            #expect(young == .unproved)
            // Not taken back, for whoever comes next may have stored it by then.
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys == ["docs/x.txt"])

            try await Task.sleep(for: .seconds(SourceProof.discernibleAge + 1))
            let outcome = try await here.move(job, worker: worker, capabilities: S3Capabilities())
            guard case .stored(_, _, .head, _) = outcome else { throw Unexpected(outcome) }
        }
    }

    @Test func `a file is moved from one bucket to another, and its tmp object is deleted there`() async throws {
        try await Storeroom.with { here in
            try await here.s3.createBucket("elsewhere")
            let key = "tmp/s3file/f/x"
            let put = try await here.s3.putObject(bucket: here.bucket, key: key, body: ByteBuffer(string: "hello"))
            let row = try await here.queue.client.query(
                """
                select id from s3file.enqueue('elsewhere', \(key), etag => \(put.etag), size => 5, key => 'docs/x.txt',
                                              tmp_bucket => \(here.bucket))
                """
            )[0]
            let (job, worker) = try await here.claim()
            #expect(try row["id", UUID.self] == job.id)
            let work = S3StoreWork(connections: here.connections, options: .init(), logger: .quiet)
            _ = await work.capabilities.capabilities(from: here.bucket, to: "elsewhere")
            let outcome = await work.move(here.attempt(job, worker: worker))
            guard case .stored(_, _, .sourceCondition, _) = outcome else { throw Unexpected(outcome) }
            let settled = try await here.queue.settle([(job, outcome)], worker: worker)
            let tmp = job.tmpObject(batch: try #require(settled[job.id]?.tmpDeletion))
            let (gone, failure) = try await work.deleteTmpObjects([tmp], bucket: tmp.bucket)
            #expect(gone == [tmp] && failure == nil)
            let (here1, there) = (try await here.keys(), try await here.s3.listObjects(bucket: "elsewhere").objects.map(\.key))
            #expect(here1.isEmpty && there == ["docs/x.txt"])
        }
    }

    @Test func `what proved an upload stands in its record`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("x")
            let (job, worker) = try await here.claim()
            _ = try await here.queue.settle([(job, try await here.move(job, worker: worker))], worker: worker)
            let row = try await here.queue.client.query("select guarantee from s3file.upload_status where id = \(id)")[0]
            #expect(try row["guarantee", String.self] == "source_condition")
        }
    }

    @Test func `a tmp object that was posted again after it was stored is not deleted with it`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("verified")
            let (job, worker) = try await here.claim()
            let work = S3StoreWork(connections: here.connections, options: .init(), logger: .quiet)
            let outcome = await work.move(here.attempt(job, worker: worker))
            let settled = try await here.queue.settle([(job, outcome)], worker: worker)
            let batch = try #require(settled[job.id]?.tmpDeletion)
            _ = try await here.s3.putObject(bucket: here.bucket, key: job.tmpKey, body: ByteBuffer(string: "another"))
            let (gone, failure) = try await work.deleteTmpObjects([job.tmpObject(batch: batch)], bucket: here.bucket)
            #expect(gone.count == 1 && failure == nil)
            let left = try await here.text(at: job.tmpKey)
            #expect(left == "another")
        }
    }
}
