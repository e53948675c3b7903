import Foundation
import NIOCore
import S3
import S3File
import S3FileWorker
import TestEnvironment
import Testing

/// The whole way of an upload on each store: enqueued, moved by a worker, recorded, and its tmp object deleted.
@Suite(.timeLimit(.minutes(3))) struct MoveTests {
    @Test(arguments: KnownStore.available)
    func `uploads are stored with their bytes and our headers, and their tmp objects are gone`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            var expected: [(id: UUID, key: String, text: String)] = []
            for (index, text) in ["hello", "", "third"].enumerated() {
                let (tmpKey, key) = ("tmp/s3file/f/\(index) ü", "docs/\(index) 文.txt")
                try await here.put(tmpKey, text, attributes: S3ObjectAttributes(contentType: "text/html"))
                expected.append((try await site.enqueue(tmpKey, key: key), key, text))
            }
            let pool = try WorkerPool(configuration: site.connections.configuration, logger: .quiet)
            let ids = expected.map(\.id)
            try await site.running(pool) {
                try await eventually("all are stored") {
                    try await site.queue.uploads(ids).values.allSatisfy { $0.status == .stored }
                }
                // The first moves do not wait until the store was asked what it honours: of those the ETag may be the proof.
                try await eventually("the store's own condition is the proof") {
                    let key = "docs/\(UUID().uuidString)"
                    try await here.put("tmp/s3file/\(key)", "later")
                    let id = try await site.enqueue("tmp/s3file/\(key)", key: key)
                    try await eventually("it is stored") { try await site.queue.upload(id)?.status == .stored }
                    return try await site.guarantee(id) == here.traits.guarantee
                }
                try await eventually("the tmp objects are gone") { try await here.keys(prefix: "tmp/").isEmpty }
            }
            for (id, key, text) in expected {
                let stored = try await here.text(key)
                #expect(stored == text)
                let head = try await here.head(key)
                #expect(head.contentDisposition?.contains("filename*=UTF-8''%C3%BCn%C3%AF%20%22x%22.png") == true)
                #expect(head.metadata["s3file-upload"] == id.uuidString.lowercased())
                // HTML would run in the bucket's origin.
                #expect(head.contentType?.contains("html") == false)
                let guarantee = try await site.guarantee(id)
                #expect(guarantee == here.traits.guarantee || guarantee == "etag")
            }
        }
    }

    @Test(arguments: KnownStore.available)
    func `a form that is posted again after verification never changes what is stored`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            let policy = PostPolicy(
                bucket: here.name,
                key: .exact("tmp/s3file/f/photo.png"),
                contentLength: 1...1000,
                expiration: Date(timeIntervalSinceNow: 600)
            )
            var form = PostedForm(try await here.client.presignedPost(policy))
            form.file = "the verified bytes"
            let first = try await form.post(here.httpClient)
            #expect(first.status == 201)
            let id = try await site.enqueue("tmp/s3file/f/photo.png", key: "docs/photo.png")
            // The same form, of the same length and type.
            form.file = "the swapped! bytes"
            let second = try await form.post(here.httpClient)
            #expect(second.status == 201)
            let upload = try await site.move(id)
            #expect(upload.status == .failed && upload.error?.code == "source_changed")
            let stored = try await here.keys(prefix: "docs/")
            #expect(stored.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `an upload above the copy limit goes in parts`(store: KnownStore) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            let body = ByteBuffer(repeating: 0x61, count: 6 << 20)
            _ = try await here.client.putObject(
                bucket: here.name,
                key: "tmp/s3file/f/large",
                body: body,
                attributes: S3ObjectAttributes(contentType: "application/zip")
            )
            var options = WorkerPool.Options()
            options.copyLimit = 1 << 20
            let upload = try await site.move(
                try await site.enqueue("tmp/s3file/f/large", key: "docs/large.zip"),
                options: options
            )
            #expect(upload.status == .stored, "\(upload.error?.message ?? "")")
            let guarantee = try await site.guarantee(upload.id)
            #expect(guarantee == here.traits.guaranteeInParts)
            let head = try await here.head("docs/large.zip")
            #expect(head.size == body.readableBytes && head.contentType == "application/zip" && head.etag.contains("-"))
            let uploads = try await here.client.listMultipartUploads(bucket: here.name).uploads
            #expect(uploads.isEmpty)
        }
    }

    /// bin/test starts this Ceph with `--set rgw_max_put_size=10485760`: above 10 MiB it answers as AWS does above 5 GB.
    @Test(.enabled(if: KnownStore.newCeph.isAvailable, "\(KnownStore.newCeph.missing)"))
    func `a store whose own limit is passed takes the upload in parts`() async throws {
        try await StoreSite.with(.newCeph) { site in
            let here = site.bucket
            let upload = try await here.client.createMultipartUpload(
                bucket: here.name,
                key: "tmp/s3file/f/large",
                attributes: S3ObjectAttributes(contentType: "application/zip")
            )
            var parts: [S3Part] = []
            for number in 1...2 {
                let body = ByteBuffer(repeating: UInt8(number), count: 9_000_000)
                parts.append(
                    try await here.client.uploadPart(
                        bucket: here.name,
                        key: "tmp/s3file/f/large",
                        uploadID: upload,
                        number: number,
                        body: body
                    )
                )
            }
            _ = try await here.client.completeMultipartUpload(
                bucket: here.name,
                key: "tmp/s3file/f/large",
                uploadID: upload,
                parts: parts
            )
            let refused = await code { try await here.client.copyObject(here.copy(of: "tmp/s3file/f/large", to: "whole")) }
            #expect(refused == "EntityTooLarge")

            var options = WorkerPool.Options()
            options.copyLimit = 10 << 20
            let moved = try await site.move(try await site.enqueue("tmp/s3file/f/large", key: "docs/large.zip"), options: options)
            #expect(moved.status == .stored, "\(moved.error?.message ?? "")")
            let head = try await here.head("docs/large.zip")
            #expect(head.size == 18_000_000)
            let seam = try await here.client.getObject(bucket: here.name, key: "docs/large.zip", range: 8_999_999...9_000_000)
            let bytes = try await seam.collect(upTo: 10)
            #expect(Array(bytes.readableBytesView) == [1, 2])
        }
    }
}
