import Foundation
import NIOCore
import S3
import TestEnvironment
import Testing

@Suite struct S3CapabilityProbeTests {
    @Test func `the development server honours what AWS documents`() async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ in
                let found = try await S3CapabilityProbe(
                    client: client,
                    sourceBucket: server.bucket,
                    bucket: server.bucket,
                    prefix: "tmp/s3file"
                ).run()
                #expect(found.copySourceIfMatch && found.partCopySourceIfMatch)
                #expect(found.copyIfNoneMatch && found.completeIfNoneMatch)
                #expect(found.deleteIfMatch && found.batchDeleteIfMatch)
                #expect(found.checksums && !found.sourceVersions)
                #expect(try await client.listObjects(bucket: server.bucket).objects.isEmpty)
                #expect(try await client.listMultipartUploads(bucket: server.bucket).uploads.isEmpty)
            }
        }
    }

    @Test(.enabled(if: TestStore.isAvailable, "\(TestStore.missing)"))
    func `what Ceph 16 ignores is found out, and nothing is left behind`() async throws {
        try await TestStore.withBucket { client, bucket in
            let found = try await S3CapabilityProbe(client: client, sourceBucket: bucket, bucket: bucket, prefix: "tmp").run()
            #expect(found == S3Capabilities())
            #expect(try await client.listObjects(bucket: bucket).objects.isEmpty)
            #expect(try await client.listMultipartUploads(bucket: bucket).uploads.isEmpty)
        }
    }

    @Test func `what a probe left behind is swept when it is old`() async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ in
                let keys = [
                    "tmp/.capabilities/one/source", "tmp/.capabilities/one/copy", "tmp/.capabilities/two/batch", "tmp/file",
                ]
                for key in keys { _ = try await client.putObject(bucket: server.bucket, key: key, body: ByteBuffer(string: "x")) }
                func sweep(olderThan limit: Date) async throws -> Int {
                    try await S3CapabilityProbe.sweep(client: client, bucket: server.bucket, prefix: "tmp", olderThan: limit)
                }
                let young = try await sweep(olderThan: Date(timeIntervalSinceNow: -60))
                #expect(young == 0)
                let old = try await sweep(olderThan: Date(timeIntervalSinceNow: 60))
                #expect(old == 2)
                let left = try await client.listObjects(bucket: server.bucket).objects.map(\.key)
                #expect(left == ["tmp/file"])
            }
        }
    }

    @Test func `a store that cannot be reached leaves everything unknown`() async throws {
        let configuration = S3Configuration(
            endpoint: "http://127.0.0.1:\(try unusedPort())",
            region: "us-east-1",
            credentials: StaticCredentials(accessKeyID: "a", secretAccessKey: "b")
        )
        try await TestStore.withClient(configuration, retry: S3RetryPolicy(attempts: 1)) { client, _ in
            let error = await #expect(throws: S3Error.self) {
                try await S3CapabilityProbe(client: client, sourceBucket: "bucket", bucket: "bucket", prefix: "tmp").run()
            }
            #expect(error?.code == .connectionFailed)
        }
    }
}
