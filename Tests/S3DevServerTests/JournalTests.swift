import Foundation
import NIOCore
import S3
import TestEnvironment
import Testing

@testable import S3DevServer

@Suite struct JournalTests {
    @Test func `the journal tells every change that took effect, in its order, and no other`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path + "/journal"
            try await TestDevServer.run(configure: {
                $0.journal = path
                $0.largestCopy = 5
                $0.age = { $0.hasPrefix("old/") ? 3_600 : 0 }
            }) { server in
                try await server.withClient { s3 async throws in
                    let bucket = server.bucket
                    func put(_ key: String, _ text: String) async throws {
                        _ = try await s3.putObject(bucket: bucket, key: key, body: ByteBuffer(string: text))
                    }
                    try await put("old/a", "one")
                    try await put("old/a", "three")
                    let copy = S3CopyRequest(
                        sourceBucket: bucket,
                        sourceKey: "old/a",
                        bucket: bucket,
                        key: "b",
                        attributes: S3ObjectAttributes(metadata: ["who": "me"])
                    )
                    _ = try await s3.copyObject(copy)
                    var refused = copy
                    refused.sourceIfMatch = "\"other\""
                    await #expect(throws: S3Error.self) { try await s3.copyObject(refused) }
                    try await s3.deleteObject(bucket: bucket, key: "old/a")
                    // Nothing lies there any more.
                    try await s3.deleteObject(bucket: bucket, key: "old/a")

                    let entries = try StoreJournal.entries(of: path)
                    #expect(entries.map(\.number) == [1, 2, 3, 4])
                    #expect(entries.map(\.change) == [.put, .put, .put, .delete])
                    #expect(entries.map(\.key) == ["old/a", "old/a", "b", "old/a"])
                    #expect(entries.map { $0.replaced != nil } == [false, true, false, false])
                    #expect(entries[1].replaced == entries[0].etag && entries[3].etag == entries[1].etag)
                    #expect(entries[2].metadata == ["who": "me"] && entries[2].size == 5)
                    #expect(zip(entries, entries.dropFirst()).allSatisfy { $0.at <= $1.at })

                    try await put("old/c", "c")
                    let head = try await s3.headObject(bucket: bucket, key: "old/c")
                    let now = try #require(head.date)
                    #expect(head.lastModified.map { now.timeIntervalSince($0) > 3_590 } == true)
                    try await put("large", "larger")
                    var large = copy
                    large.sourceKey = "large"
                    await #expect(throws: S3Error.self) { try await s3.copyObject(large) }
                }
            }
        }
    }
}
