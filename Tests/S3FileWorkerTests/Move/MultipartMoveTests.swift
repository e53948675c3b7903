import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Postgres
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct MultipartMoveTests {
    /// Three parts of the smallest size, and a short one.
    private static let size = 3 * Int(MultipartMove.smallestPart) + 5
    private static let text =
        String(repeating: "0123456789abcde\n", count: Self.size / 16) + String(repeating: "x", count: Self.size % 16)

    private static var options: WorkerPool.Options {
        var options = WorkerPool.Options()
        options.copyLimit = MultipartMove.smallestPart
        return options
    }

    /// The parts that were asked for, and what else happened.
    private final class Log: Sendable {
        private let operations = NIOLockedValueBox<[Faults.Operation]>([])

        var faults: Faults {
            Faults(latency: { operation in
                self.operations.withLockedValue { $0.append(operation) }
                return .zero
            })
        }

        var partCopies: Int {
            self.operations.withLockedValue { $0.count { $0.isCopy && $0.parameters.contains("partNumber") } }
        }
    }

    /// Lets so many requests begin, and then the lease is lost.
    private func lease(of requests: Int) -> @Sendable () async throws -> Void {
        let left = NIOLockedValueBox(requests)
        return {
            let mayGoOn = left.withLockedValue { left in
                left -= 1
                return left >= 0
            }
            guard mayGoOn else { throw LeaseLost() }
        }
    }

    /// The bytes at a key, which may be many.
    private func bytes(_ here: Storeroom, _ key: String) async throws -> String {
        let body = try await here.s3.getObject(bucket: here.bucket, key: key)
        return String(buffer: try await body.collect(upTo: 64 << 20))
    }

    private func uploads(_ here: Storeroom) async throws -> Int {
        try await here.s3.listMultipartUploads(bucket: here.bucket).uploads.count
    }

    private func partsThere(_ here: Storeroom) async throws -> Int {
        guard let upload = try await here.s3.listMultipartUploads(bucket: here.bucket).uploads.first else { return 0 }
        return try await here.s3.listParts(bucket: here.bucket, key: upload.key, uploadID: upload.uploadID).count
    }

    private func abandoned(_ here: Storeroom) -> AbandonedMoves {
        AbandonedMoves(s3: here.s3, queue: here.queue, logger: .quiet)
    }

    @Test func `a copy that one worker left half done another goes on with, and no finished part is copied again`() async throws {
        let log = Log()
        try await Storeroom.with(faults: log.faults) { here in
            let id = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            let calls = NIOLockedValueBox(0)
            // The lease is lost when the plan was noted and two parts are there.
            let first = try await here.move(job, worker: worker, options: Self.options, capabilities: .all) {
                let call = calls.withLockedValue { calls in
                    calls += 1
                    return calls
                }
                guard call > 4 else { return }
                try await eventually("two parts are there") { try await self.partsThere(here) == 2 }
                throw LeaseLost()
            }
            #expect(first == .givenBack)
            #expect(log.partCopies == 2)
            _ = try await here.queue.settle([(job, first)], worker: worker)

            let second = try await here.move(options: Self.options, capabilities: .all)
            let copied = try await here.queue.client.query("select copied_bytes from s3file.upload_status where id = \(id)")
            #expect(try copied[0]["copied_bytes", Int64.self] == Int64(Self.size))
            guard case .stored(let etag, _, .sourceCondition, _) = second else { throw Unexpected(second) }
            #expect(etag.contains("-4"))
            #expect(log.partCopies == 4)
            let stored = try await self.bytes(here, "docs/x.txt")
            #expect(stored == Self.text)
        }
    }

    @Test func `parts are copied at the same time, as many as there may be`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            let calls = NIOLockedValueBox(0)
            // After the look and the begin, each part waits here until all four do.
            let outcome = try await here.move(job, worker: worker, options: Self.options, capabilities: .all) {
                let call = calls.withLockedValue { calls in
                    calls += 1
                    return calls
                }
                guard call > 2 else { return }
                try await eventually("four parts are under way") {
                    calls.withLockedValue { $0 >= 2 + MultipartMove.concurrentParts }
                }
            }
            guard case .stored = outcome else { throw Unexpected(outcome) }
            let stored = try await self.bytes(here, "docs/x.txt")
            #expect(stored == Self.text)
        }
    }

    @Test func `what a copy left behind is given up when its upload has ended, and not before`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.move(job, worker: worker, options: Self.options, capabilities: .all, checkLease: self.lease(of: 3))
            try await self.abandoned(here).giveUp()
            #expect(try await self.uploads(here) == 1)

            _ = try await here.queue.settle([(job, .failed(code: "x", message: "x"))], worker: worker)
            try await self.abandoned(here).giveUp()
            #expect(try await self.uploads(here) == 0)
            #expect(try await here.queue.abandonedMoves(limit: 10).isEmpty)
        }
    }

    @Test func `a source that was replaced meanwhile ends the upload, and no part of it is stored`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.move(job, worker: worker, options: Self.options, capabilities: .all, checkLease: self.lease(of: 3))
            _ = try await here.s3.putObject(
                bucket: here.bucket,
                key: job.tmpKey,
                body: ByteBuffer(string: Self.text.uppercased())
            )
            let outcome = try await here.move(job, worker: worker, options: Self.options, capabilities: .all)
            #expect(outcome == .sourceChanged)
            _ = try await here.queue.settle([(job, outcome)], worker: worker)
            try await self.abandoned(here).giveUp()
            let (keys, uploads) = (try await here.keys(prefix: "docs/"), try await self.uploads(here))
            #expect(keys.isEmpty && uploads == 0)
        }
    }

    @Test func `parts that somebody gave up are copied anew`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.move(job, worker: worker, options: Self.options, capabilities: .all, checkLease: self.lease(of: 4))
            let upload = try #require(try await here.s3.listMultipartUploads(bucket: here.bucket).uploads.first)
            try await here.s3.abortMultipartUpload(bucket: here.bucket, key: upload.key, uploadID: upload.uploadID)
            let outcome = try await here.move(job, worker: worker, options: Self.options, capabilities: .all)
            guard case .stored = outcome else { throw Unexpected(outcome) }
            let (stored, uploads) = (try await self.bytes(here, "docs/x.txt"), try await self.uploads(here))
            #expect(stored == Self.text && uploads == 0)
        }
    }

    @Test func `a worker whose attempt is another's by now leaves no parts`() async throws {
        try await Storeroom.with { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            _ = try await here.queue.settle([(job, .givenBack)], worker: worker)
            _ = try await here.claim()
            let outcome = try await here.move(job, worker: worker, options: Self.options, capabilities: .all)
            #expect(outcome == .givenBack)
            let (keys, uploads) = (try await here.keys(prefix: "docs/"), try await self.uploads(here))
            #expect(keys.isEmpty && uploads == 0)
        }
    }

    @Test func `a completion whose answer is lost is recognised`() async throws {
        let completions = NIOLockedValueBox(0)
        let faults = Faults(losesReply: { operation in
            guard operation.method == "POST", operation.parameters.contains("uploadId") else { return false }
            completions.withLockedValue { $0 += 1 }
            return true
        })
        try await Storeroom.with(faults: faults) { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let outcome = try await here.move(options: Self.options, capabilities: .all)
            guard case .stored(_, _, .sourceCondition, _) = outcome else { throw Unexpected(outcome) }
            #expect(completions.withLockedValue { $0 } == 1)
        }
    }

    @Test func `a store that copies less in one request than we were told gets parts`() async throws {
        // S3DevServer has AWS's own limit; this one speaks for a store below it.
        let options = Self.options
        #expect(MultipartMove.partSize(size: 100 << 20, limit: 5 << 30) == MultipartMove.smallestPart)
        #expect(MultipartMove.partSize(size: 6 << 30, limit: 5 << 30) == MultipartMove.usualPart)
        #expect(MultipartMove.partSize(size: 100 << 20, limit: options.copyLimit) == options.copyLimit)
        #expect(MultipartMove.partSize(size: 48 << 40, limit: 5 << 30) == (48 << 40) / 10_000 + 1)
    }

    @Test func `a multipart upload that was begun and never noted is found as a stray, those of others are let be`() async throws
    {
        try await Storeroom.with { here in
            let id = try await here.upload(Self.text, key: "docs/x.txt")
            let key = try #require(try await here.queue.upload(id)?.key)
            _ = try await here.s3.createMultipartUpload(bucket: here.bucket, key: key)
            _ = try await here.s3.createMultipartUpload(bucket: here.bucket, key: "somebody/elses")
            let (job, worker) = try await here.claim()
            _ = try await here.move(job, worker: worker, options: Self.options, capabilities: .all, checkLease: self.lease(of: 3))
            #expect(try await self.uploads(here) == 3)

            var sweeper = Sweeper(connections: here.connections, logger: .quiet)
            let early = try #require(try await sweeper.sweep())
            #expect(early.uploadsGivenUp == 0)
            sweeper.ahead = 25 * 3600
            let late = try #require(try await sweeper.sweep())
            #expect(late.uploadsGivenUp == 1)
            #expect(try await self.uploads(here) == 2)
            // The plan is still good.
            let outcome = try await here.move(job, worker: worker, options: Self.options, capabilities: .all)
            guard case .stored = outcome else { throw Unexpected(outcome) }
        }
    }

    @Test(.enabled(if: TestStore.isAvailable, "\(TestStore.missing)"))
    func `where a store ignores the condition of a part, parts of other bytes are not used, though the verified ones came back`()
        async throws
    {
        try await Storeroom.onCeph { here in
            _ = try await here.upload(Self.text, key: "docs/x.txt")
            let (job, worker) = try await here.claim()
            let verified = ByteBuffer(string: Self.text)
            let other = ByteBuffer(string: Self.text.uppercased())
            let calls = NIOLockedValueBox(0)
            // Between the look at the source and its first part somebody posts the form again, and later once more.
            let first = try await here.move(job, worker: worker, options: Self.options) {
                let call = calls.withLockedValue { calls in
                    calls += 1
                    return calls
                }
                // Three looks, the upload's beginning, and two parts.
                if call == 5 { _ = try await here.s3.putObject(bucket: here.bucket, key: job.tmpKey, body: other) }
                if call > 6 { throw LeaseLost() }
            }
            #expect(first == .givenBack)
            _ = try await here.s3.putObject(bucket: here.bucket, key: job.tmpKey, body: verified)
            _ = try await here.queue.settle([(job, first)], worker: worker)

            let second = try await here.move(options: Self.options)
            guard case .stored(_, _, .head, _) = second else { throw Unexpected(second) }
            let stored = try await self.bytes(here, "docs/x.txt")
            #expect(stored == Self.text)
        }
    }
}
