import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import TestEnvironment
import Testing

@Suite(
    "The client against a real store",
    .enabled(if: TestStore.isAvailable, "\(TestStore.missing)"),
    .timeLimit(.minutes(3))
)
struct S3ClientTests {
    func code(_ body: () async throws -> some Any) async -> String {
        do {
            _ = try await body()
            return "none"
        } catch {
            return (error as? S3Error)?.code.rawValue ?? "\(error)"
        }
    }

    @Test("Credentials that have ended are not sent")
    func expired() async throws {
        var configuration = TestStore.configuration
        configuration.credentials = StaticCredentials(
            S3Credentials(accessKeyID: "a", secretAccessKey: "b", expiration: Date(timeIntervalSinceNow: -1))
        )
        try await TestStore.withClient(configuration) { client, _ in
            #expect(await self.code { try await client.headBucket("bucket") } == "ExpiredToken")
            #expect(
                await self.code { try await client.presignedGetURL(bucket: "bucket", key: "k", expires: .seconds(60)) }
                    == "ExpiredToken"
            )
        }
    }

    @Test("A bucket is also reached by a host name of its own")
    func virtualHost() async throws {
        try await TestStore.withBucket { _, bucket in
            var configuration = TestStore.configuration
            let endpoint = try #require(configuration.endpoint)
            configuration.endpoint = endpoint.replacing("127.0.0.1", with: "localhost")
            configuration.addressing = .virtualHost
            // Not every resolver knows names below localhost.
            let dnsOverride = ["\(bucket).localhost": "127.0.0.1"]
            try await TestStore.withClient(configuration, dnsOverride: dnsOverride) { client, httpClient in
                let key = "ünï 100%/a+b"
                _ = try await client.putObject(bucket: bucket, key: key, body: ByteBuffer(string: "x"))
                #expect(try await client.listObjects(bucket: bucket).objects.map(\.key) == [key])
                let url = try await client.presignedGetURL(bucket: bucket, key: key, expires: .seconds(60))
                #expect(url.hasPrefix("http://\(bucket).localhost:"))
                let answer = try await httpClient.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
                #expect(answer.status == .ok)
                #expect(String(buffer: try await answer.body.collect(upTo: 10)) == "x")
            }
        }
    }

    @Test("Presigned URLs and forms are made for the public endpoint")
    func publicEndpoint() async throws {
        var configuration = TestStore.configuration
        configuration.publicEndpoint = "https://files.example.com"
        try await TestStore.withClient(configuration) { client, _ in
            let url = try await client.presignedGetURL(bucket: "bucket", key: "k", expires: .seconds(60))
            #expect(url.hasPrefix("https://files.example.com/bucket/k?X-Amz-Algorithm="))
            let policy = PostPolicy(bucket: "bucket", key: .exact("k"), contentLength: 0...1, expiration: Date())
            #expect(try await client.presignedPost(policy).url == "https://files.example.com/bucket")
        }
    }
}
