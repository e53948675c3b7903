import NIOCore
import TestEnvironment
import Testing

@testable import S3

/// Answers that no store should give, and that a hostile or broken one does.
@Suite("Answers that cannot be right", .timeLimit(.minutes(1)))
struct BadAnswerTests {
    func list(
        _ answers: [ScriptedServer.Answer],
        prefix: String = "",
        token: String? = nil,
        startAfter: String? = nil,
        maxKeys: Int = 1000
    ) async throws -> Result<S3Listing, any Error> {
        try await ScriptedServer.with(answers) { server in
            try await TestStore.withClient(
                UnreliableStoreTests.configuration(server.endpoint),
                retry: S3RetryPolicy(attempts: 2, baseDelay: .milliseconds(1)),
                timeouts: S3Client.Timeouts(request: .seconds(3), idle: .seconds(1))
            ) { client, _ in
                do {
                    let page = try await client.listObjects(
                        bucket: "bucket",
                        prefix: prefix,
                        continuationToken: token,
                        startAfter: startAfter,
                        maxKeys: maxKeys
                    )
                    return .success(page)
                } catch { return .failure(error) }
            }
        }
    }

    static func page(_ keys: [String], next: String? = nil) -> ScriptedServer.Answer {
        let objects = keys.map {
            "<Contents><Key>\($0)</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        }
        let end = next.map { "<IsTruncated>true</IsTruncated><NextContinuationToken>\($0)</NextContinuationToken>" } ?? ""
        return .status("200 OK", "<ListBucketResult>\(objects.joined())\(end)</ListBucketResult>")
    }

    func error<R>(_ result: Result<R, any Error>) throws -> S3Error {
        try #require(#expect(throws: S3Error.self) { try result.get() })
    }

    @Test("A listing that leads to itself, leaves the prefix, is out of order or has more than asked is refused")
    func absurd() async throws {
        let loop = try await self.list([Self.page(["a"], next: "t")], token: "t")
        #expect(try self.error(loop).message.contains("leads to itself"))
        let outside = try await self.list([Self.page(["tmp/a", "tmpx"])], prefix: "tmp/")
        #expect(try self.error(outside).message.contains("outside the prefix"))
        for keys in [["b", "a"], ["a", "a"], ["a", "a\u{300}", "a\u{e0}", "B"]] {
            #expect(try self.error(try await self.list([Self.page(keys)])).message.contains("not in order"), "\(keys)")
        }
        let early = try await self.list([Self.page(["a", "c"])], startAfter: "b")
        #expect(try self.error(early).message.contains("not in order"))
        let many = try await self.list([Self.page(["a", "b", "c"])], maxKeys: 2)
        #expect(try self.error(many).message.contains("has 3 objects where 2"))
        #expect(try self.error(many).code == .invalidResponse)
        // By bytes, as S3 sorts, not by what people would call the alphabet.
        let right = try await self.list(
            [Self.page(["B", "a", "a\u{300}", "b", "à", "😀"], next: "u")],
            token: "t",
            startAfter: "zzz"
        )
        #expect(try right.get().objects.count == 6)
    }

    /// Whoever follows these gives up, deletes, or goes on by them.
    @Test("A listing of versions, of uploads in parts, or of parts that no store can mean is refused")
    func otherAbsurdities() async throws {
        func refused(_ document: String, _ ask: (S3Client) async throws -> Void) async throws -> String {
            try await ScriptedServer.with([.status("200 OK", document)]) { server in
                try await TestStore.withClient(
                    UnreliableStoreTests.configuration(server.endpoint),
                    retry: S3RetryPolicy(attempts: 1)
                ) { client, _ in
                    let error = await #expect(throws: S3Error.self) { try await ask(client) }
                    #expect(error?.code == .invalidResponse)
                    return error?.message ?? ""
                }
            }
        }
        func versions(_ keys: [String]) -> String {
            let entries = keys.map {
                "<Version><Key>\($0)</Key><VersionId>v</VersionId><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Version>"
            }
            return "<ListVersionsResult>\(entries.joined())</ListVersionsResult>"
        }
        func uploads(_ keys: [String]) -> String {
            let entries = keys.map {
                "<Upload><Key>\($0)</Key><UploadId>u</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>"
            }
            return "<ListMultipartUploadsResult>\(entries.joined())</ListMultipartUploadsResult>"
        }
        let many = (0...1_000).map { "tmp/\($0)" }
        for (keys, reason) in [(["tmp/a", "docs/a"], "outside the prefix"), (many, "1001 entries where 1000")] {
            let ofVersions = try await refused(versions(keys)) {
                _ = try await $0.listObjectVersions(bucket: "bucket", prefix: "tmp/")
            }
            #expect(ofVersions.contains(reason))
        }
        let ofUploads = try await refused(uploads(many)) {
            _ = try await $0.listMultipartUploads(bucket: "bucket", prefix: "tmp/")
        }
        #expect(ofUploads.contains("1001 entries where 1000"))
        for numbers in [[1, 1], [2, 1, 2], [0], [10_001]] {
            let parts = numbers.map { "<Part><PartNumber>\($0)</PartNumber><Size>1</Size><ETag>e</ETag></Part>" }
            let message = try await refused("<ListPartsResult>\(parts.joined())</ListPartsResult>") {
                _ = try await $0.listParts(bucket: "bucket", key: "k", uploadID: "u")
            }
            #expect(!message.isEmpty, "\(numbers)")
        }
    }

    @Test(
        "A listing that cannot be read is refused",
        arguments: [
            "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key></Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>9223372036854775808</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%ff</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<ListBucketResult>", "",
            String(repeating: "<a>", count: 100),
            "<ListBucketResult>\(String(repeating: "<a/>", count: 60_000))</ListBucketResult>",
        ]
    )
    func unreadable(document: String) async throws {
        #expect(try self.error(try await self.list([.status("200 OK", document)])).code == .invalidResponse)
    }

    @Test(
        "An answer whose length is a lie is a broken connection or no document, never half of one",
        arguments: [
            "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 20\r\n",
            "Content-Length: 1000\r\n", "Content-Length: x\r\n",
        ]
    )
    func lengths(header: String) async throws {
        let bytes = "HTTP/1.1 200 OK\r\n\(header)\r\n<ListBucketResult></ListBucketResult>"
        let error = try self.error(try await self.list([.sendAndClose(bytes)]))
        #expect([.connectionLost, .invalidResponse].contains(error.code), "\(error)")
    }

    @Test("An answer that never ends is cut off at its bound")
    func endless() async throws {
        let chunk = "10000\r\n\(String(repeating: " ", count: 65_536))\r\n"
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let result = try await self.list([.drip([head] + Array(repeating: chunk, count: 200), every: .milliseconds(1))])
        #expect(try self.error(result).message.contains("larger than"))
    }

    @Test("Objects whose head makes no sense are refused")
    func heads() async throws {
        for head in [
            "HTTP/1.1 200 OK\r\nETag: \"e\"\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag:\r\n\r\n",
        ] {
            try await ScriptedServer.with([.send(head)]) { server in
                try await TestStore.withClient(
                    UnreliableStoreTests.configuration(server.endpoint),
                    retry: S3RetryPolicy(attempts: 1)
                ) { client, _ in
                    let error = await #expect(throws: S3Error.self) { try await client.headObject(bucket: "bucket", key: "k") }
                    #expect(error?.code == .invalidResponse, "\(head)")
                }
            }
        }
    }
}
