package import AsyncHTTPClient
import Logging
package import S3

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The S3 store that the environment names for tests, and buckets in it that last as long as a test.
package enum TestStore {
    private static let environment = ProcessInfo.processInfo.environment

    package static let endpoint: String? = environment["TEST_RGW_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
    package static let accessKeyID = environment["TEST_RGW_ACCESS_KEY"] ?? "devaccesskey"
    package static let secretAccessKey = environment["TEST_RGW_SECRET_KEY"] ?? "devsecretkey0123456789"

    /// For `.enabled(if: TestStore.isAvailable, "\(TestStore.missing)")`.
    package static var isAvailable: Bool { self.endpoint != nil }
    package static let missing = "Set TEST_RGW_ENDPOINT to a running S3 store, as bin/test does, to run the tests against it."

    package static var configuration: S3Configuration {
        S3Configuration(
            endpoint: self.endpoint,
            region: "us-east-1",
            credentials: StaticCredentials(accessKeyID: self.accessKeyID, secretAccessKey: self.secretAccessKey)
        )
    }

    package static func randomBucketName() -> String {
        "s3file-test-" + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// A client on a store of its own choosing, shut down afterwards.
    package static func withClient<R: Sendable>(
        _ configuration: S3Configuration = TestStore.configuration,
        retry: S3RetryPolicy = S3RetryPolicy(),
        timeouts: S3Client.Timeouts = S3Client.Timeouts(),
        dnsOverride: [String: String] = [:],
        _ body: (S3Client, HTTPClient) async throws -> R
    ) async throws -> R {
        var httpConfiguration = S3Client.httpClientConfiguration(connectTimeout: .seconds(60))
        httpConfiguration.dnsOverride = dnsOverride
        let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: httpConfiguration)
        var logger = Logger(label: "s3file.test")
        logger.logLevel = .warning
        let client = S3Client(
            configuration: configuration,
            httpClient: httpClient,
            logger: logger,
            retry: retry,
            timeouts: timeouts
        )
        let result: Result<R, any Error>
        do {
            result = .success(try await body(client, httpClient))
        } catch {
            result = .failure(error)
        }
        try await httpClient.shutdown()
        return try result.get()
    }

    /// A new bucket with a random name, removed with all that is in it.
    package static func withBucket<R: Sendable>(
        _ configuration: S3Configuration = TestStore.configuration,
        _ body: (S3Client, String) async throws -> R
    ) async throws -> R {
        try await self.withClient(configuration) { client, _ in
            try await self.withBucket(of: client) { try await body(client, $0) }
        }
    }

    package static func withBucket<R: Sendable>(of client: S3Client, _ body: (String) async throws -> R) async throws -> R {
        let bucket = self.randomBucketName()
        try await client.createBucket(bucket)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(bucket))
        } catch {
            result = .failure(error)
        }
        // In a task of its own, awaited, so that a cancelled test leaves nothing behind either.
        try await Task { try await self.remove(bucket, client) }.value
        return try result.get()
    }

    private static func remove(_ bucket: String, _ client: S3Client) async throws {
        var token: String?
        repeat {
            let page = try await client.listObjects(bucket: bucket, continuationToken: token)
            let objects = page.objects.map { S3ObjectIdentifier(key: $0.key) }
            if !objects.isEmpty { _ = try await client.deleteObjects(bucket: bucket, objects) }
            token = page.nextToken
        } while token != nil
        do {
            try await client.deleteBucket(bucket)
        } catch let error as S3Error where error.code == .bucketNotEmpty {
            // It keeps versions.
            var marker: S3VersionListing.Marker?
            repeat {
                let page = try await client.listObjectVersions(bucket: bucket, after: marker)
                for version in page.versions {
                    try await client.deleteObject(bucket: bucket, key: version.key, versionID: version.versionID)
                }
                marker = page.next
            } while marker != nil
            try await client.deleteBucket(bucket)
        }
    }
}
