import Foundation
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

/// Policies of a bucket are kept, and nothing is decided by them.
@Suite struct BucketPolicyTests {
    private static let closed =
        #"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::1:role/x"]}, "Action": "s3:GetObject"}]}"#
    private static let open = #"{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject"}]}"#

    @Test func `a policy is given back as it came, also by the next server on the folder`() async throws {
        try await withTemporaryFolder { folder in
            func serve<R: Sendable>(_ body: (S3Client, String) async throws -> R) async throws -> R {
                try await TestDevServer.run(configure: { $0.directory = folder.path }) { server in
                    try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                        try await body(client, server.bucket)
                    }
                }
            }
            try await serve { client, bucket in
                #expect(try await client.bucketPolicy(bucket) == nil)
                #expect(try await client.isBucketPolicyPublic(bucket) == false)
                try await client.putBucketPolicy(bucket, json: Self.closed)
                #expect(try await client.isBucketPolicyPublic(bucket) == false)
            }
            try await serve { client, bucket in
                #expect(try await client.bucketPolicy(bucket) == Self.closed)
                try await client.putBucketPolicy(bucket, json: Self.open)
                #expect(try await client.isBucketPolicyPublic(bucket))
            }
        }
    }

    @Test(arguments: [
        "", "no JSON", "[]", "{}", #"{"Statement": 1}"#, String(repeating: " ", count: 21_000) + #"{"Statement": []}"#,
    ])
    func `what is no policy is refused`(text: String) async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                let error = await #expect(throws: S3Error.self) { try await client.putBucketPolicy(server.bucket, json: text) }
                #expect(error?.code.rawValue == "MalformedPolicy")
                #expect(try await client.bucketPolicy(server.bucket) == nil)
            }
        }
    }

    @Test func `of a bucket that is not there nothing is told`() async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                let error = await #expect(throws: S3Error.self) { try await client.bucketPolicy("no-such-bucket") }
                #expect(error?.code == .noSuchBucket)
            }
        }
    }
}
