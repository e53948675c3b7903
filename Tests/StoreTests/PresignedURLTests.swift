import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(3))) struct PresignedURLTests {
    private func get(_ url: String, _ here: StoreBucket) async throws -> (
        status: HTTPResponseStatus, headers: HTTPHeaders, body: String
    ) {
        let response = try await here.httpClient.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        return (response.status, response.headers, String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    @Test(arguments: KnownStore.available)
    func `a presigned URL gives the object to anybody, under the name asked for, and nothing else`(store: KnownStore) async throws
    {
        try await store.withBucket { here in
            try await here.put("other", "not this")
            for key in ObjectTests.awkwardKeys {
                let name = Comment(rawValue: "the key \(key.debugDescription)")
                try await here.put(key, "these bytes", attributes: S3ObjectAttributes(contentType: "text/html"))
                let url = try await here.client.presignedGetURL(
                    bucket: here.name,
                    key: key,
                    expires: .seconds(60),
                    contentDisposition: "attachment; filename=\"a b.txt\"",
                    contentType: "application/octet-stream"
                )
                let answer = try await self.get(url, here)
                #expect(answer.status == .ok && answer.body == "these bytes", name)
                #expect(answer.headers.first(name: "content-disposition") == "attachment; filename=\"a b.txt\"", name)
                #expect(answer.headers.first(name: "content-type") == "application/octet-stream", name)
            }
        }
    }

    @Test(arguments: KnownStore.available)
    func `a presigned URL that was changed, or is over, gives nothing`(store: KnownStore) async throws {
        try await store.withBucket { here in
            for key in ["mine", "other"] { try await here.put(key) }
            let url = try await here.client.presignedGetURL(bucket: here.name, key: "mine", expires: .seconds(60))
            for (what, from, to) in [
                ("a longer life", "Expires=60", "Expires=6000"), ("another key", "/mine?", "/other?"),
                ("another signature", "Signature=", "Signature=0"),
            ] {
                let status = try await self.get(url.replacing(from, with: to), here).status
                #expect(status == .forbidden, "\(what)")
            }
            let over = try await here.client.presignedGetURL(
                bucket: here.name,
                key: "mine",
                expires: .seconds(60),
                now: Date(timeIntervalSinceNow: -120)
            )
            let status = try await self.get(over, here).status
            #expect(status == .forbidden)
        }
    }
}
