import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import TestEnvironment
import Testing

/// What the client puts into each store comes back, byte for byte.
@Suite(.timeLimit(.minutes(3))) struct ObjectTests {
    static let awkwardKeys = [
        "100%.txt", "a%20b.txt", "a&b<c>.txt", "ünï 文.txt", "a+b", "q?x=1#y", "deep/er/🦊", "quote\"'`\\", "semi;colon:,=@!$*()",
        "~-._", "e\u{301}", "\u{E9}", "  two  spaces ", "trailing/", "/leading", "a//b", "./a", "../b", "a/./b/../c", ".",
        "\u{2028}",
        "tab\tline\nfeed", "\u{7F}", String(repeating: "x", count: 1024), String(repeating: "文", count: 341),
    ]

    @Test(arguments: KnownStore.available)
    func `an object of any name is stored, seen, read, copied, listed and deleted`(store: KnownStore) async throws {
        try await store.withBucket { here in
            for key in Self.awkwardKeys { try await self.roundTrip(here, key) }
        }
    }

    private func roundTrip(_ here: StoreBucket, _ key: String) async throws {
        let name = Comment(rawValue: "the key \(key.debugDescription)")
        let text = "the bytes of this"
        let put = try await here.put(
            key,
            text,
            attributes: S3ObjectAttributes(contentType: "text/plain", metadata: ["s3file-upload": "id-1"])
        )
        let head = try await here.head(key)
        #expect(head.size == text.utf8.count, name)
        #expect(head.contentType == "text/plain", name)
        #expect(head.metadata == ["s3file-upload": "id-1"], name)
        #expect(S3ObjectHead.isSameETag(head.etag, put.etag), name)
        #expect(abs(head.lastModified?.timeIntervalSinceNow ?? .infinity) < 600, name)
        let read = try await here.text(key)
        #expect(read == text, name)

        // Nothing may be longer than 1,024 bytes.
        let destination = key.utf8.count < 1000 ? "copy/\(key)" : "copy/" + key.dropLast(5)
        var copy = here.copy(of: key, to: destination)
        copy.sourceIfMatch = head.etag
        copy.attributes = S3ObjectAttributes(
            contentType: "image/png",
            contentDisposition: "attachment",
            cacheControl: "max-age=60",
            metadata: ["s3file-upload": "id-2"]
        )
        let copied = try await here.client.copyObject(copy)
        #expect(S3ObjectHead.isSameETag(copied.etag, put.etag), name)
        #expect(copied.etag.hasPrefix("\"") == here.traits.quotesCopiedETags, name)
        let second = try await here.head(destination)
        #expect(second.size == head.size, name)
        #expect(second.contentType == "image/png" && second.contentDisposition == "attachment", name)
        #expect(second.cacheControl == "max-age=60", name)
        #expect(second.metadata == ["s3file-upload": "id-2"], name)

        // As bytes: strings that look the same are equal in Swift, and are not to a store.
        let listed = try await here.client.listObjects(bucket: here.name).objects
        #expect(Set(listed.map { Array($0.key.utf8) }) == [Array(key.utf8), Array(destination.utf8)], name)
        #expect(listed.allSatisfy { $0.size == head.size && abs($0.lastModified.timeIntervalSinceNow) < 600 }, name)
        let narrowed = try await here.keys(prefix: destination)
        #expect(narrowed.count == 1, name)

        try await here.client.deleteObject(bucket: here.name, key: key)
        try await here.client.deleteObject(bucket: here.name, key: key)
        let gone = await code { try await here.head(key) }
        #expect(gone == "NoSuchKey", name)
        let deleted = try await here.client.deleteObjects(bucket: here.name, [.init(key: destination), .init(key: "never")])
        #expect(deleted.errors.isEmpty && deleted.deleted.count == 2, name)
        let left = try await here.keys()
        #expect(left.isEmpty, name)
    }

    @Test(arguments: KnownStore.available)
    func `a key that XML has no form for does not keep the others from being deleted`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let keys = ["a\u{1}b", "line\nfeed", "plain", "\u{FFFE}"]
            for key in keys { try await here.put(key) }
            let listed = try await here.keys()
            #expect(Set(listed) == Set(keys))
            let result = try await here.client.deleteObjects(bucket: here.name, listed.map { S3ObjectIdentifier(key: $0) })
            #expect(result.deleted.count == keys.count)
            let left = try await here.keys()
            #expect(left.isEmpty)
        }
    }

    @Test(arguments: KnownStore.available)
    func `a range gives its bytes, one over the end what there is, and one beyond it an error`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let put = try await here.put("digits", "0123456789")
            for (range, expected) in [(0...0, "0"), (3...5, "345"), (9...9, "9"), (8...99, "89"), (0...9, "0123456789")]
                as [(ClosedRange<Int64>, String)]
            {
                let body = try await here.client.getObject(bucket: here.name, key: "digits", range: range, ifMatch: put.etag)
                #expect(body.head.size == 10)
                #expect(body.range == range.clamped(to: 0...9))
                let text = String(buffer: try await body.collect(upTo: 100))
                #expect(text == expected)
            }
            let beyond = await code { try await here.text("digits", range: 10...19) }
            #expect(beyond == "InvalidRange")
            let changed = await code { try await here.client.getObject(bucket: here.name, key: "digits", ifMatch: otherETag) }
            #expect(changed == "PreconditionFailed")
        }
    }

    @Test(arguments: KnownStore.available)
    func `an empty object is an object`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let put = try await here.put("empty", "")
            let body = try await here.client.getObject(bucket: here.name, key: "empty", ifMatch: put.etag)
            #expect(body.head.size == 0 && body.range == nil)
            let bytes = try await body.collect(upTo: 1)
            #expect(bytes.readableBytes == 0)
            let beyond = await code { try await here.text("empty", range: 5...9) }
            #expect(beyond == "InvalidRange")
            let copied = try await here.client.copyObject(here.copy(of: "empty", to: "copy"))
            #expect(S3ObjectHead.isSameETag(copied.etag, put.etag))
            let size = try await here.head("copy").size
            #expect(size == 0)
        }
    }

    @Test(arguments: KnownStore.available)
    func `a body is stored as it comes, and one that breaks off is not`(store: KnownStore) async throws {
        try await store.withBucket { here in
            func bytes(_ chunks: Int) -> AsyncStream<ByteBuffer> {
                AsyncStream { continuation in
                    for _ in 0..<chunks { continuation.yield(ByteBuffer(repeating: 0x61, count: 100_000)) }
                    continuation.finish()
                }
            }
            _ = try await here.client.putObject(bucket: here.name, key: "whole", stream: bytes(20), length: 2_000_000)
            let size = try await here.head("whole").size
            #expect(size == 2_000_000)
            let short = await code {
                try await here.client.putObject(bucket: here.name, key: "short", stream: bytes(1), length: 2_000_000)
            }
            #expect(short != "none")
            let missing = await code { try await here.head("short") }
            #expect(missing == "NoSuchKey")
        }
    }

    @Test(arguments: KnownStore.available)
    func `a PUT with another SHA-256 than its bytes have is refused where the table says so`(store: KnownStore) async throws {
        try await store.withBucket { here in
            func put(_ digest: String) async throws -> HTTPResponseStatus {
                let target = "/\(here.name)/checked"
                let authority = here.endpoint.dropFirst("http://".count)
                let body = ByteBuffer(string: "hello")
                var headers = [("host", String(authority)), ("x-amz-checksum-sha256", digest)].map { (name: $0.0, value: $0.1) }
                headers += SigV4.authorizationHeaders(
                    for: SigV4.Request(
                        method: "PUT",
                        path: target,
                        headers: headers,
                        payloadHash: SigV4.payloadHash(body.readableBytesView)
                    ),
                    credentials: here.credentials,
                    region: "us-east-1",
                    now: Date()
                )
                var request = HTTPClientRequest(url: here.endpoint + target)
                request.method = .PUT
                request.headers = HTTPHeaders(headers.map { ($0.name, $0.value) })
                request.body = .bytes(body)
                let response = try await here.httpClient.execute(request, timeout: .seconds(30))
                _ = try await response.body.collect(upTo: 1 << 16)
                return response.status
            }
            let wrong = try await put("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCR=")
            #expect(wrong == (here.traits.verifiesChecksums ? .badRequest : .ok))
            let right = try await put("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")
            #expect(right == .ok)
        }
    }
}
