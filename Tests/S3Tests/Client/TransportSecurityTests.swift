import AsyncHTTPClient
import Logging
import NIOCore
import NIOSSL
import TestEnvironment
import Testing

@testable import S3

/// S3 by https, as everybody's is: nginx ends TLS in front of the development server.
@Suite(.timeLimit(.minutes(2))) struct TransportSecurityTests {
    /// A client of a store behind TLS that trusts `authority`, and a bucket of it.
    private func withStore<R: Sendable>(
        trusting authority: @escaping @Sendable (TestCertificates) -> String,
        _ body: @escaping @Sendable (S3Client, String) async throws -> R
    ) async throws -> R {
        try await ServerUser.withFolder { folder in
            let certificates = try await TestCertificates(in: folder)
            return try await TestDevServer.run { server in
                try await Nginx.with(
                    toPort: server.port,
                    settings: "proxy_set_header Host $http_host; client_max_body_size 0;",
                    certificates: certificates
                ) { port in
                    var tls = TLSConfiguration.makeClientConfiguration()
                    tls.trustRoots = .file(authority(certificates))
                    var configuration = S3Client.httpClientConfiguration(connectTimeout: .seconds(60))
                    configuration.tlsConfiguration = tls
                    let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
                    var settings = server.s3Configuration
                    settings.endpoint = "https://127.0.0.1:\(port)"
                    let client = S3Client(
                        configuration: settings,
                        httpClient: httpClient,
                        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
                        retry: S3RetryPolicy(attempts: 1)
                    )
                    let result: Result<R, any Error>
                    do { result = .success(try await body(client, server.bucket)) } catch { result = .failure(error) }
                    try await httpClient.shutdown()
                    return try result.get()
                }
            }
        }
    }

    @Test func `objects go and come by TLS, small ones and those above a mebibyte`() async throws {
        try await self.withStore(trusting: { $0.authority }) { client, bucket in
            // Above a mebibyte the signature leaves the bytes to TLS.
            let large = ByteBuffer(repeating: UInt8(ascii: "x"), count: 3 << 20)
            for (key, bytes) in [("small", ByteBuffer(string: "hello")), ("large", large)] {
                let put = try await client.putObject(bucket: bucket, key: key, body: bytes)
                let head = try await client.headObject(bucket: bucket, key: key)
                #expect(head.etag == put.etag && head.size == Int64(bytes.readableBytes))
                let body = try await client.getObject(bucket: bucket, key: key)
                #expect(try await body.collect(upTo: 4 << 20) == bytes)
            }
            let copy = S3CopyRequest(sourceBucket: bucket, sourceKey: "large", bucket: bucket, key: "copy", ifNoneMatch: true)
            _ = try await client.copyObject(copy)
            #expect(try await client.headObject(bucket: bucket, key: "copy").size == 3 << 20)
        }
    }

    @Test func `a certificate that nobody trusted signed is refused, and nothing is sent`() async throws {
        try await self.withStore(trusting: { $0.otherAuthority }) { client, bucket in
            let error = await #expect(throws: S3Error.self) { try await client.listObjects(bucket: bucket) }
            #expect(error?.code == .connectionFailed)
            #expect(error?.message.lowercased().contains("certificate") == true, "\(String(describing: error))")
        }
    }
}
