import Foundation
import NIOCore
import S3
import S3File
import S3FileWorker
import TestEnvironment
import Testing

/// Moves on each store that are not the plain ones: between buckets, of versions, and with all that an app may ask for.
@Suite(.timeLimit(.minutes(3))) struct MoveVariantTests {
    /// Sizes on both sides of it: what is above goes in parts.
    private static let copyLimit: Int64 = 1 << 20
    private static let sizes = [100, 6 << 20]

    private static var options: WorkerPool.Options {
        var options = WorkerPool.Options()
        options.copyLimit = Self.copyLimit
        return options
    }

    @Test(arguments: KnownStore.available)
    func `uploads go from one bucket to another, and their tmp objects are deleted where they lay`(
        store: KnownStore
    ) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            try await TestStore.withBucket(of: here.client) { there in
                var ids: [UUID] = []
                for size in Self.sizes {
                    let tmpKey = "tmp/s3file/f/\(size) ü"
                    _ = try await here.client.putObject(
                        bucket: here.name,
                        key: tmpKey,
                        body: ByteBuffer(repeating: 0x61, count: size)
                    )
                    ids.append(try await site.enqueue(tmpKey, key: "docs/\(size)", to: there))
                }
                let configuration = site.connections.configuration
                let pool = try WorkerPool(configuration: configuration, options: Self.options, logger: .quiet)
                try await site.running(pool) {
                    for id in ids {
                        let upload = try await site.ended(id)
                        #expect(upload.status == .stored && upload.bucket == there, "\(upload.error?.message ?? "")")
                    }
                    // Not the whole prefix: the worker may just ask again what the store honours.
                    try await eventually("the tmp objects are gone") { try await here.keys(prefix: "tmp/s3file/f/").isEmpty }
                }
                for size in Self.sizes {
                    let stored = try await here.client.getObject(bucket: there, key: "docs/\(size)").collect(upTo: 10 << 20)
                    #expect(stored == ByteBuffer(repeating: 0x61, count: size))
                }
                let whole = try await site.guarantee(ids[0])
                // The first moves do not wait until the store was asked what it honours.
                #expect(whole == here.traits.guarantee || whole == "etag")
                let inParts = try await site.guarantee(ids[1])
                #expect(inParts == here.traits.guaranteeInParts)
                let misplaced = try await here.keys(prefix: "docs/")
                #expect(misplaced.isEmpty)
                let uploads = try await here.client.listMultipartUploads(bucket: there).uploads
                #expect(uploads.isEmpty)
            }
        }
    }

    /// All these stores honour the version of a source, as CopyTests has it.
    @Test(arguments: KnownStore.available, Self.sizes)
    func `in a bucket with versions the verified one is stored, though its form was posted again since`(
        store: KnownStore,
        size: Int
    ) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            try await here.client.putBucketVersioning(here.name, isEnabled: true)
            let tmpKey = "tmp/s3file/f/photo.png"
            let policy = PostPolicy(
                bucket: here.name,
                key: .exact(tmpKey),
                contentLength: 1...(10 << 20),
                expiration: Date(timeIntervalSinceNow: 600)
            )
            var form = PostedForm(try await here.client.presignedPost(policy))
            form.file = String(repeating: "v", count: size)
            let first = try await form.post(here.httpClient)
            #expect(first.status == 201)
            let id = try await site.enqueue(tmpKey, key: "docs/photo.png")
            let verified = try #require(try await here.head(tmpKey).versionID)
            form.file = String(repeating: "s", count: size)
            let second = try await form.post(here.httpClient)
            #expect(second.status == 201)
            let swapped = try #require(try await here.head(tmpKey).versionID)
            #expect(swapped != verified)

            let configuration = site.connections.configuration
            let pool = try WorkerPool(configuration: configuration, options: Self.options, logger: .quiet)
            try await site.running(pool) {
                let upload = try await site.ended(id)
                #expect(upload.status == .stored, "\(upload.error?.message ?? "")")
                // The other version is nobody's, and waits for the sweep; no marker hides it.
                try await eventually("the verified version is gone, and nothing else") {
                    let left = try await here.client.listObjectVersions(bucket: here.name, prefix: tmpKey).entries
                    return left.map(\.versionID) == [swapped] && left.allSatisfy { !$0.isDeleteMarker }
                }
            }
            let guarantee = try await site.guarantee(id)
            #expect(guarantee == "version")
            let stored = try await here.client.getObject(bucket: here.name, key: "docs/photo.png").collect(upTo: 10 << 20)
            #expect(stored == ByteBuffer(repeating: UInt8(ascii: "v"), count: size))
        }
    }

    @Test(arguments: KnownStore.available, Self.sizes)
    func `what the app said of a file is stored with it, and nothing of what its tmp object had`(
        store: KnownStore,
        size: Int
    ) async throws {
        try await StoreSite.with(store) { site in
            let here = site.bucket
            _ = try await here.client.putObject(
                bucket: here.name,
                key: "tmp/s3file/f/plain",
                body: ByteBuffer(repeating: 0x61, count: size),
                attributes: S3ObjectAttributes(
                    contentType: "text/plain",
                    contentDisposition: "inline",
                    cacheControl: "no-store",
                    metadata: ["from": "the browser"]
                )
            )
            let storage = StorageSettings(
                cacheControl: "private, max-age=60",
                contentDisposition: "attachment; filename=\"ours.txt\"",
                metadata: ["invoice-no": "42"],
                tags: ["kind": "größe + co", "scanned": ""]
            )
            let id = try await site.enqueue("tmp/s3file/f/plain", key: "docs/plain.txt", storage: storage)
            let upload = try await site.move(id, options: Self.options)
            #expect(upload.status == .stored, "\(upload.error?.message ?? "")")

            let head = try await here.head("docs/plain.txt")
            #expect(head.size == size && head.contentType == "text/plain")
            #expect(head.cacheControl == "private, max-age=60")
            #expect(head.contentDisposition == "attachment; filename=\"ours.txt\"")
            #expect(head.metadata.keys.sorted() == ["invoice-no", "s3file-source", "s3file-upload"])
            #expect(head.metadata["invoice-no"] == "42")
            #expect(head.metadata["s3file-upload"] == id.uuidString.lowercased())
            // ministack counts tags in its answer to GET alone, and Ceph says 0 of those that it did not understand.
            let body = try await here.client.getObject(bucket: here.name, key: "docs/plain.txt")
            let bytes = try await body.collect(upTo: 10 << 20)
            #expect(bytes.readableBytes == size)
            let keepsTags = Int64(size) > Self.copyLimit ? here.traits.keepsTagsInParts : here.traits.keepsCopiedTags
            #expect((body.head.tagCount ?? 0) == (keepsTags ? 2 : 0))
        }
    }
}
