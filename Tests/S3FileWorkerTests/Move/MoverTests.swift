import Foundation
import NIOCore
import S3
import S3DevServer
import NIOConcurrencyHelpers
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct MoverTests {
    @Test(arguments: ["hello", ""])
    func `a move puts the verified bytes at the reserved key, with our type, name and stamp`(text: String) async throws {
        try await Storeroom.with { here in
            let id = try await here.upload(text, key: "docs/x.txt", filename: "ünï 文 \"x\".txt")
            let outcome = try await here.move()
            guard case .stored = outcome else { throw Unexpected(outcome) }
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.txt")
            #expect(head.size == text.utf8.count)
            // HTML would run in the bucket's origin.
            #expect(head.contentType == "application/octet-stream")
            #expect(head.contentDisposition?.contains("filename*=UTF-8''%C3%BCn%C3%AF%20%E6%96%87%20%22x%22.txt") == true)
            #expect(head.contentDisposition?.hasPrefix("attachment; ") == true)
            #expect(head.metadata["s3file-upload"] == id.uuidString.lowercased())
            let stored = try await here.text(at: "docs/x.txt")
            #expect(stored == text)
        }
    }

    @Test func `bytes that were replaced after verification are never stored`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("verified", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: job.tmpKey,
                body: ByteBuffer(string: "swapped!"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let outcome = try await here.move(job, worker: worker)
            #expect(outcome == Outcome.sourceChanged)
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys.isEmpty)
        }
    }

    @Test func `a 412 is not taken for a change of the file while the file is what it was, and nothing lies at its key`()
        async throws
    {
        let rules = "precondition-failed operation=CopyObject prefix=docs/ times=1"
        try await Storeroom.with(rules: rules) { here in
            _ = try await here.upload("verified", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            let first = try await here.move(job, worker: worker)
            guard case .retry(code: "PreconditionFailed", _, _) = first else { throw Unexpected(first) }
            let second = try await here.move(job, worker: worker)
            guard case .stored = second else { throw Unexpected(second) }
        }
    }

    @Test(.enabled(if: TestStore.isAvailable, "\(TestStore.missing)"))
    func `a store that ignores the copy's conditions gives up no file all the same`() async throws {
        try await Storeroom.onCeph { here in
            _ = try await here.upload("verified", key: "docs/x.txt")
            let (swapped, worker) = try await here.claim()
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: swapped.tmpKey,
                body: ByteBuffer(string: "other"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let changed = try await here.move(swapped, worker: worker)
            #expect(changed == Outcome.sourceChanged)
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys.isEmpty)
            _ = try await here.queue.settle([(swapped, changed)], worker: worker)

            _ = try await here.upload("mine", key: "docs/y.txt")
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: "docs/y.txt",
                body: ByteBuffer(string: "theirs"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let exists = try await here.move()
            guard case .failed(code: "destination_exists", _) = exists else { throw Unexpected(exists) }
            let left = try await here.text(at: "docs/y.txt")
            #expect(left == "theirs")

            var options = WorkerPool.Options()
            options.copyLimit = 4
            _ = try await here.upload("in parts, here too", key: "docs/z.txt")
            let parts = try await here.move(options: options)
            guard case .stored = parts else { throw Unexpected(parts) }
            let text = try await here.text(at: "docs/z.txt")
            #expect(text == "in parts, here too")
        }
    }

    @Test func `what was asked before a job's turn is not asked again, unless that is long ago`() async throws {
        let looks = NIOLockedValueBox(0)
        let faults = Faults(latency: { operation in
            if operation.name == "HeadObject", operation.key?.hasPrefix("docs/") == true { looks.withLockedValue { $0 += 1 } }
            return .zero
        })
        try await Storeroom.with(faults: faults) { here in
            // As Ceph does.
            var capabilities = S3Capabilities.all
            capabilities.copyIfNoneMatch = false
            for (age, count) in [(Duration.zero, 1), (Preparation.lifetime, 2)] {
                _ = try await here.upload("hello")
                let (job, worker) = try await here.claim()
                var attempt = here.attempt(job, worker: worker)
                let mover = { Mover(s3: here.s3, options: .init(), capabilities: capabilities, attempt: $0) }
                let asked = await mover(attempt).prepare()
                attempt.preparation = Preparation(found: asked.found, content: asked.content, askedAt: asked.askedAt - age)
                let outcome = await mover(attempt).move()
                guard case .stored = outcome else { throw Unexpected(outcome) }
                #expect(looks.withLockedValue { exchange(&$0, with: 0) } == count)
                _ = try await here.queue.settle([(job, outcome)], worker: worker)
            }
        }
    }

    /// Also when by then it is not known any more that the store keeps it.
    @Test(arguments: [S3Capabilities.all, S3Capabilities()])
    func `who is at the destination by a job's turn is not overwritten by one that was prepared`(capabilities: S3Capabilities)
        async throws
    {
        try await Storeroom.with { here in
            _ = try await here.upload("mine", key: "docs/x.txt")
            var (job, worker) = try await here.claim()
            var storage = StorageSettings()
            storage.accept = ["text/*"]
            job.storage = storage
            var attempt = here.attempt(job, worker: worker)
            let mover = { Mover(s3: here.s3, options: .init(), capabilities: $1, attempt: $0) }
            attempt.preparation = await mover(attempt, .all).prepare()
            #expect(attempt.preparation?.content != nil)
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: "docs/x.txt",
                body: ByteBuffer(string: "theirs"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let outcome = await mover(attempt, capabilities).move()
            #expect(outcome == .destinationExists)
            let left = try await here.text(at: "docs/x.txt")
            #expect(left == "theirs")
        }
    }

    @Test func `a tmp object that is gone is a failure with a code`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("x")
            let (job, worker) = try await here.claim()
            try await here.s3.deleteObject(bucket: here.bucket, key: job.tmpKey)
            let outcome = try await here.move(job, worker: worker)
            #expect(outcome == Outcome.sourceMissing)
        }
    }

    @Test func `somebody else's object at the destination is not overwritten`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("mine", key: "docs/x.txt")
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: "docs/x.txt",
                body: ByteBuffer(string: "theirs"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let outcome = try await here.move()
            guard case .failed(code: "destination_exists", _) = outcome else { throw Unexpected(outcome) }
            let left = try await here.text(at: "docs/x.txt")
            #expect(left == "theirs")
        }
    }

    @Test func `an attempt that died after its copy is recognised by the next`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("once", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.move(job, worker: worker)
            let first = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.txt")
            // Also when the tmp object is gone by then.
            try await here.s3.deleteObject(bucket: here.bucket, key: job.tmpKey)
            let outcome = try await here.move(job, worker: worker)
            #expect(outcome == .stored(etag: first.etag, versionID: nil, guarantee: .sourceCondition))
            let second = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.txt")
            #expect(second.lastModified == first.lastModified)
        }
    }

    @Test func `a copy of what an upload was before it was claimed anew is replaced, and not taken for it`() async throws {
        try await Storeroom.with { here in
            let id = try await here.upload("first bytes", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            // It is copied, its worker never says so, and meanwhile it is withdrawn.
            _ = try await here.move(job, worker: worker)
            try await here.queue.cancel([id])
            _ = try await here.queue.settle([(job, .givenBack)], worker: worker)
            let put = try await here.s3.putObject(bucket: here.bucket, key: job.tmpKey, body: ByteBuffer(string: "other bytes"))
            let again = UploadPromise(
                id: .version7(),
                field: "docs",
                tmpBucket: here.bucket,
                tmpKey: job.tmpKey,
                filename: job.filename,
                size: job.size,
                contentType: job.contentType,
                etag: put.etag,
                versionID: nil,
                owner: nil,
                requestedKey: "docs/x.txt"
            )
            let claimed = try await here.queue.enqueue([again])
            #expect(claimed.map(\.id) == [id])
            let outcome = try await here.move()
            guard case .stored(let etag, _, .sourceCondition, _) = outcome else { throw Unexpected(outcome) }
            #expect(S3ObjectHead.isSameETag(etag, put.etag))
            let stored = try await here.text(at: "docs/x.txt")
            #expect(stored == "other bytes")
        }
    }

    @Test(arguments: [
        "CredentialsUnavailable", "InvalidToken", "BadRequest", "PermanentRedirect", "AccessDenied", "NoSuchBucket",
    ])
    func `what is wrong with the settings parks an upload, and fails none`(code: String) {
        let error = S3Error(S3Error.Code(code), status: 400, message: "x", retryable: false)
        guard case .parked = Mover.outcome(of: error) else {
            Issue.record("\(Mover.outcome(of: error))")
            return
        }
    }

    @Test func `a copy whose answer is lost is looked up, not repeated`() async throws {
        let copies = NIOLockedValueBox(0)
        let faults = Faults(losesReply: { operation in
            operation.isCopy
                && copies.withLockedValue {
                    $0 += 1; return true
                }
        })
        try await Storeroom.with(faults: faults) { here in
            _ = try await here.upload("once", key: "docs/x.txt")
            let outcome = try await here.move(capabilities: .all)
            guard case .stored = outcome else { throw Unexpected(outcome) }
            #expect(copies.withLockedValue { $0 } == 1)
        }
    }

    @Test func `an object above the copy limit goes in parts`() async throws {
        try await Storeroom.with { here in
            var options = WorkerPool.Options()
            options.copyLimit = 4
            _ = try await here.upload("larger than that", key: "docs/x.txt")
            let outcome = try await here.move(options: options)
            guard case .stored(let etag, _, _, _) = outcome else { throw Unexpected(outcome) }
            #expect(etag.contains("-1"))
            let head = try await here.s3.headObject(bucket: here.bucket, key: "docs/x.txt")
            #expect(head.metadata["s3file-upload"] != nil)
        }
    }

    @Test func `parts cover an object exactly, and are never more than 10,000`() {
        for size: Int64 in [1, 64 << 20, (64 << 20) + 1, 5_000_000_001, 48 << 40] {
            let ranges = MultipartMove.ranges(size: size, partSize: MultipartMove.partSize(size: size, limit: 5_000_000_000))
            #expect(ranges.count <= 10_000)
            #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == size - 1)
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound + 1 == $1.lowerBound })
        }
    }

    @Test func `a worker whose lease is over starts no request`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload("x", key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            let outcome = try await here.move(job, worker: worker) { throw LeaseLost() }
            #expect(outcome == .givenBack)
            let keys = try await here.keys(prefix: "docs/")
            #expect(keys.isEmpty)
        }
    }

    @Test(arguments: [
        ("image/png", "image/png", "inline"), ("text/plain; charset=utf-8", "text/plain", "inline"),
        ("image/svg+xml", "application/octet-stream", "attachment"), ("text/html", "application/octet-stream", "attachment"),
        ("application/xhtml+xml", "application/octet-stream", "attachment"), ("application/zip", "application/zip", "attachment"),
        ("", "application/octet-stream", "attachment"), ("video/x,text/html", "application/octet-stream", "attachment"),
        ("text/javascript", "application/octet-stream", "attachment"),
    ])
    func `no stored file can run in the bucket's origin`(declared: String, stored: String, disposition: String) {
        let content = StoredContent(type: declared, filename: "x")
        #expect(content.contentType == stored)
        #expect(content.contentDisposition.hasPrefix(disposition + ";"))
    }

    @Test func `a file's name cannot break out of its header`() {
        let content = StoredContent(type: "image/png", filename: "a\"; x=\r\nSet-Cookie: y\\")
        #expect(content.contentDisposition.allSatisfy { $0.isASCII && !$0.isNewline && $0 != "\\" })
        #expect(content.contentDisposition.filter { $0 == "\"" }.count == 2)
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ value: Any) { self.description = "unexpected: \(value)" }
}
