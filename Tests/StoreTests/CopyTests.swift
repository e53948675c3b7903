import NIOCore
import S3
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(3))) struct CopyTests {
    @Test(arguments: KnownStore.available)
    func `the probe finds what the table says, and leaves nothing behind`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let found = try await S3CapabilityProbe(
                client: here.client,
                sourceBucket: here.name,
                bucket: here.name,
                prefix: "tmp"
            ).run()
            #expect(found == here.traits.capabilities)
            let left = try await here.keys()
            #expect(left.isEmpty)
            let uploads = try await here.client.listMultipartUploads(bucket: here.name).uploads
            #expect(uploads.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `a multipart copy makes the same bytes of ranges`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let part = Int64(5 << 20)
            let body = ByteBuffer(bytes: (0..<Int(part) + 1000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
            let put = try await here.client.putObject(bucket: here.name, key: "tmp/größe & co", body: body)
            var copy = here.copy(of: "tmp/größe & co", to: "dst/größe")
            copy.sourceIfMatch = put.etag
            let upload = try await here.client.createMultipartUpload(
                bucket: here.name,
                key: copy.key,
                attributes: S3ObjectAttributes(
                    contentType: "video/mp4",
                    contentDisposition: "inline",
                    cacheControl: "no-cache",
                    metadata: ["s3file-upload": "id"]
                )
            )
            let listed = try await here.client.listMultipartUploads(bucket: here.name).uploads
            #expect(listed.map(\.key) == [copy.key] && listed.map(\.uploadID) == [upload])
            var parts: [S3Part] = []
            for (number, range) in [(2, part...(part + 999)), (1, 0...(part - 1))] {
                parts.append(try await here.client.uploadPartCopy(copy, uploadID: upload, number: number, range: range))
            }
            let stored = try await here.client.listParts(bucket: here.name, key: copy.key, uploadID: upload)
            #expect(stored.map(\.part.number) == [1, 2] && stored.map(\.size) == [part, 1000])
            #expect(S3ObjectHead.isSameETag(stored[0].part.etag, parts[1].etag))
            let result = try await here.client.completeMultipartUpload(
                bucket: here.name,
                key: copy.key,
                uploadID: upload,
                parts: parts
            )
            let head = try await here.head(copy.key)
            #expect(head.size == part + 1000)
            #expect(head.contentType == "video/mp4" && head.contentDisposition == "inline" && head.cacheControl == "no-cache")
            #expect(head.metadata == ["s3file-upload": "id"])
            #expect((result.etag != nil) == here.traits.tellsCompletedETag)
            #expect(result.etag.map { S3ObjectHead.isSameETag(head.etag, $0) } ?? true)
            let read = try await here.client.getObject(bucket: here.name, key: copy.key).collect(upTo: 10 << 20)
            #expect(read == body)
        }
    }

    @Test(arguments: KnownStore.available)
    func `an aborted upload leaves nothing, and cannot be completed`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let client = here.client
            let upload = try await client.createMultipartUpload(bucket: here.name, key: "none")
            let part = try await client.uploadPart(
                bucket: here.name,
                key: "none",
                uploadID: upload,
                number: 1,
                body: ByteBuffer(string: "x")
            )
            try await client.abortMultipartUpload(bucket: here.name, key: "none", uploadID: upload)
            try await client.abortMultipartUpload(bucket: here.name, key: "none", uploadID: upload)
            #expect(await code { try await here.head("none") } == "NoSuchKey")
            let late = await code {
                try await client.completeMultipartUpload(bucket: here.name, key: "none", uploadID: upload, parts: [part])
            }
            #expect(late == (here.traits.tellsAbortedUploads ? "NoSuchUpload" : "OutcomeUnknown"))
            let uploads = try await client.listMultipartUploads(bucket: here.name).uploads
            #expect(uploads.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `a PUT that may not overwrite does not`(store: KnownStore) async throws {
        try await store.withBucket { here in
            try await here.put("k", "first", ifNoneMatch: true)
            #expect(await code { try await here.put("k", "second", ifNoneMatch: true) } == "PreconditionFailed")
            let left = try await here.text("k")
            #expect(left == "first")
        }
    }

    @Test(arguments: KnownStore.available)
    func `a version stays what it was, is copied, and is deleted by its name`(store: KnownStore) async throws {
        try await store.withBucket { here in
            try await here.client.putBucketVersioning(here.name, isEnabled: true)
            let first = try await here.put("k", "first")
            let second = try await here.put("k", "second")
            let version = try #require(first.versionID)
            #expect(second.versionID != nil && second.versionID != version)
            var copy = here.copy(of: "k", to: "copy")
            copy.sourceVersionID = version
            copy.sourceIfMatch = first.etag
            _ = try await here.client.copyObject(copy)
            let copied = try await here.text("copy")
            #expect(copied == "first")
            let head = try await here.head("k", versionID: version)
            #expect(head.versionID == version && S3ObjectHead.isSameETag(head.etag, first.etag))

            // Without a version's name only a marker is put on top.
            try await here.client.deleteObject(bucket: here.name, key: "k")
            #expect(await code { try await here.head("k") } == "NoSuchKey")
            let old = try await here.text("k", versionID: version)
            #expect(old == "first")
            let result = try await here.client.deleteObjects(bucket: here.name, [.init(key: "k", versionID: version)])
            #expect(result.deleted.count == 1)
            let gone = await code { try await here.head("k", versionID: version) }
            #expect(["NoSuchKey", "NoSuchVersion"].contains(gone))
            let probed = try await S3CapabilityProbe(
                client: here.client,
                sourceBucket: here.name,
                bucket: here.name,
                prefix: "tmp"
            ).run()
            #expect(probed.sourceVersions)
        }
    }
}
