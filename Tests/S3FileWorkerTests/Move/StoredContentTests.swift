import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct StoredContentTests {
    private static let png = "\u{89}PNG\r\n\u{1A}\n…"

    @Test func `an object gets all that the app said of it, whole and in parts`() async throws {
        try await Storeroom.with { here in
            var storage = StorageSettings(
                cacheControl: "private, max-age=60",
                contentDisposition: "attachment",
                storageClass: "STANDARD_IA",
                encryption: .s3,
                metadata: ["invoice-no": "42", "s3file-upload": "not ours"],
                tags: ["kind": "größe + co", "scanned": ""]
            )
            var options = WorkerPool.Options()
            // Metadata with our stamp's name is refused by Postgres.
            await #expect(throws: (any Error).self) { _ = try await here.upload("x", storage: storage) }
            storage.metadata["s3file-upload"] = nil
            for limit in [Int64(100), 3] {
                options.copyLimit = limit
                let key = "docs/\(limit).txt"
                _ = try await here.upload("hello", key: key, storage: storage)
                let (job, worker) = try await here.claim()
                let outcome = try await here.move(job, worker: worker, options: options)
                guard case .stored = outcome else { throw Unexpected(outcome) }
                let head = try await here.s3.headObject(bucket: here.bucket, key: key)
                #expect(head.cacheControl == "private, max-age=60")
                #expect(head.contentDisposition == "attachment")
                #expect(head.storageClass == "STANDARD_IA")
                #expect(head.metadata["invoice-no"] == "42")
                #expect(head.metadata["s3file-upload"] == job.id.uuidString.lowercased())
                #expect(head.tagCount == 2)
                _ = try await here.queue.settle([(job, outcome)], worker: worker)
            }
        }
    }

    @Test func `a tmp object's own tags and metadata do not come along`() async throws {
        try await Storeroom.with { here in
            let tmp = S3ObjectAttributes(
                contentType: "image/png",
                cacheControl: "no-store",
                metadata: ["a": "b"],
                tags: ["scan": "clean"]
            )
            _ = try await here.upload("hello", key: "docs/x.png", attributes: tmp)
            let outcome = try await here.move()
            guard case .stored = outcome else { throw Unexpected(outcome) }
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.png")
            #expect(
                head.cacheControl == nil && head.tagCount == nil
                    && head.metadata.keys.sorted() == ["s3file-source", "s3file-upload"]
            )
        }
    }

    /// Enqueued by SQL, where nobody looked at the bytes before.
    private func enqueue(_ here: Storeroom, _ text: String, type: String, accept: String) async throws {
        let put = try await here.s3.putObject(bucket: here.bucket, key: "tmp/s3file/f/x", body: ByteBuffer(string: text))
        try await here.queue.client.query(
            """
            select s3file.store_as(array[e.id], jsonb_build_object('accept', \(accept)::jsonb))
              from s3file.enqueue(\(here.bucket), 'tmp/s3file/f/x', etag => \(put.etag), size => \(Int64(text.utf8.count)),
                                  key => 'docs/x', content_type => \(type), filename => 'x.png') e
            """
        )
    }

    @Test(arguments: [
        ("<html><script>", "image/png", #"["image/*"]"#), ("<html>", "image/png", #"[".png"]"#),
        ("", "text/plain", #"["image/*"]"#),
        ("%PDF-1.7", "image/png", #"["image/png", ".jpg"]"#), ("nothing known", "image/png", #"["image/*"]"#),
        ("%PDF-1.7", "application/pdf", #"["//", "nonsense"]"#),
    ])
    func `what is not of an accepted type is not stored`(text: String, type: String, accept: String) async throws {
        try await Storeroom.with { here in
            try await self.enqueue(here, text, type: type, accept: accept)
            let outcome = try await here.move()
            guard case .failed(code: "wrong_type", _) = outcome else { throw Unexpected(outcome) }
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys.isEmpty)
        }
    }

    @Test func `the record and the object get the type that the bytes tell`() async throws {
        try await Storeroom.with { here in
            try await self.enqueue(here, "%PDF-1.7 …", type: "application/octet-stream", accept: #"["application/pdf"]"#)
            let (job, worker) = try await here.claim()
            let outcome = try await here.move(job, worker: worker)
            guard case .stored(_, _, _, "application/pdf") = outcome else { throw Unexpected(outcome) }
            _ = try await here.queue.settle([(job, outcome)], worker: worker)
            let upload = try await here.queue.upload(job.id)
            #expect(upload?.contentType == "application/pdf")
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x")
            #expect(head.contentType == "application/pdf")
        }
    }
}
