import Foundation
import NIOCore
import S3
@testable import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("A promise's bytes")
struct UploadBodyTests {
    /// A verified file of these bytes, on a site.
    func withPromise(
        _ content: ByteBuffer,
        _ body: @escaping @Sendable (TestSite, UploadPromise) async throws -> Void
    ) async throws {
        try await withSite { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            let key = drawn.folder + "/a"
            _ = try await site.connections.s3.putObject(bucket: TestSite.bucket, key: key, body: content)
            let form = FormBody(fields: drawn.post([(key, "a.bin")]).map { (name: $0.0, value: $0.1) })
            let verified = try await site.uploads.verify(form, fields: [TestSite.documents], subject: "ada")
            try await body(site, try #require(verified["documents"]?.first))
        }
    }

    @Test func `are read as a stream, as often as one likes, and by ranges`() async throws {
        let content = ByteBuffer(bytes: (0..<90_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        try await self.withPromise(content) { _, promise async throws in
            for _ in 0..<2 {
                var all = ByteBuffer()
                for try await chunk in promise.body { all.writeImmutableBuffer(chunk) }
                #expect(all == content)
            }
            let bytes = Array(content.readableBytesView)
            func read(_ range: some RangeExpression<Int64>) async throws -> [UInt8] {
                try await Array(promise.body(range).collect(upTo: 1 << 20).readableBytesView)
            }
            #expect(try await read(0..<10) == Array(bytes[0..<10]))
            #expect(try await read(10...10) == [bytes[10]])
            #expect(try await read(89_990...) == Array(bytes[89_990...]))
            #expect(try await read(...4) == Array(bytes[...4]))
            #expect(try await read(89_999..<1_000_000) == [bytes[89_999]], "what lies beyond the end is not there")
            #expect(try await read(90_000...) == [])
            #expect(try await read(5..<5) == [])
            // As a `Range` header may have them.
            #expect(try await read(89_999...Int64.max) == [bytes[89_999]])
            #expect(try await read(Int64.max...) == [])
            #expect(try await read(Int64.max...Int64.max) == [])
            #expect(try await read(100_000..<200_000) == [])
            #expect(try await read(-5..<5) == Array(bytes[0..<5]))
            #expect(try await read(Int64.min...) == bytes)
            #expect(try await read(...Int64.max) == bytes)
            #expect(try await read(...(-1)) == [])
            #expect(try await read(..<Int64.min) == [])
        }
    }

    @Test func `of an empty file are none`() async throws {
        try await self.withPromise(ByteBuffer()) { _, promise async throws in
            #expect(try await promise.body.collect(upTo: 1).readableBytes == 0)
        }
    }

    @Test func `are those that were verified: a replaced or vanished file is a clear error`() async throws {
        try await self.withPromise(ByteBuffer(string: "verified")) { site, promise async throws in
            try await site.put(promise.tmpKey, text: "swapped!")
            let replaced = await #expect(throws: UploadError.self) { try await promise.body.collect(upTo: 100) }
            #expect(replaced?.code == .replaced && replaced?.filename == "a.bin")
            try await site.put(promise.tmpKey, text: "short")
            let part = await #expect(throws: UploadError.self) { try await promise.body(6...).collect(upTo: 100) }
            #expect(part?.code == .replaced)
            try await site.connections.s3.deleteObject(bucket: promise.tmpBucket, key: promise.tmpKey)
            let gone = await #expect(throws: UploadError.self) { try await promise.body.collect(upTo: 100) }
            #expect(gone?.code == .missingObject)
        }
    }

    @Test func `may be left in the middle, and cancelled, and the next reader begins anew`() async throws {
        let content = ByteBuffer(repeating: 7, count: 90_000)
        try await self.withPromise(content) { _, promise async throws in
            for try await _ in promise.body { break }
            let task = Task {
                var iterator = promise.body.makeAsyncIterator()
                _ = try await iterator.next()
                try await Task.sleep(for: .seconds(60))
                return try await iterator.next()
            }
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
            #expect(try await promise.body.collect(upTo: 1 << 20) == content)
        }
    }

    @Test func `are no part of the claim: a promise is equal to one that is read elsewhere`() async throws {
        try await self.withPromise(ByteBuffer(string: "x")) { _, promise async throws in
            var other = promise
            other.source = ByteSource(storage: nil)
            #expect(other == promise)
            let error = await #expect(throws: UploadError.self) { try await other.body.collect(upTo: 1) }
            #expect(error?.code == .storageUnavailable)
        }
    }
}
