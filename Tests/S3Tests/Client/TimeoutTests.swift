import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import TestEnvironment
import Testing

@testable import S3

/// A server that stalls in each phase of a request.
@Suite("Timeouts", .timeLimit(.minutes(1)))
struct TimeoutTests {
    let copy = S3CopyRequest(sourceBucket: "src", sourceKey: "a", bucket: "dst", key: "b")

    func with<R: Sendable>(
        _ answers: [ScriptedServer.Answer],
        _ timeouts: S3Client.Timeouts,
        _ body: (S3Client) async throws -> R
    ) async throws -> (result: Result<R, any Error>, elapsed: Duration) {
        let start = ContinuousClock.now
        let result: Result<R, any Error> = try await ScriptedServer.with(answers) { server in
            try await TestStore.withClient(
                UnreliableStoreTests.configuration(server.endpoint),
                retry: S3RetryPolicy(attempts: 1),
                timeouts: timeouts
            ) { client, _ in
                do { return .success(try await body(client)) } catch { return .failure(error) }
            }
        }
        return (result, ContinuousClock.now - start)
    }

    func error<R>(_ result: Result<R, any Error>) throws -> S3Error {
        try #require(#expect(throws: S3Error.self) { try result.get() })
    }

    static let stalled = ScriptedServer.Answer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: \"e\"\r\n\r\n<a>")

    @Test("A server that takes the request and says nothing")
    func firstByte() async throws {
        let timeouts = S3Client.Timeouts(request: .seconds(40), copy: .seconds(40), firstByte: .milliseconds(300))
        let (list, elapsed) = try await self.with([.silence], timeouts) { try await $0.listObjects(bucket: "bucket") }
        let error = try self.error(list)
        #expect(error.code == .timedOut && error.retryable)
        #expect(error.message.contains("did not begin to answer within 0.3 seconds"), "\(error)")
        #expect(elapsed < .seconds(20))
        let (get, _) = try await self.with([.silence], timeouts) { try await $0.getObject(bucket: "bucket", key: "k") }
        #expect(try self.error(get).message.contains("did not begin to answer"))
        let body = ByteBuffer(repeating: 0, count: 100)
        let (put, _) = try await self.with([.silence], timeouts) {
            try await $0.putObject(bucket: "bucket", key: "k", body: body)
        }
        #expect(try self.error(put).code == .timedOut)
    }

    @Test("A server whose answer stops in the middle")
    func idle() async throws {
        let timeouts = S3Client.Timeouts(request: .seconds(40), copy: .seconds(40), idle: .milliseconds(300))
        let (list, elapsed) = try await self.with([Self.stalled], timeouts) { try await $0.listObjects(bucket: "bucket") }
        #expect(try self.error(list).code == .timedOut)
        #expect(try self.error(list).message.contains("nothing came for 0.3 seconds"))
        #expect(elapsed < .seconds(20))
        let (get, _) = try await self.with([Self.stalled], timeouts) { client in
            var count = 0
            for try await buffer in try await client.getObject(bucket: "bucket", key: "k") { count += buffer.readableBytes }
            return count
        }
        #expect(try self.error(get).message.contains("nothing came for 0.3 seconds"))
        let stalledAnswer = ScriptedServer.Answer.send("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 100\r\n\r\n<a>")
        let (put, _) = try await self.with([stalledAnswer], timeouts) { client in
            try await client.putObject(
                bucket: "bucket",
                key: "k",
                stream: AsyncStream { pieces in
                    pieces.yield(ByteBuffer(string: "abc"))
                    pieces.finish()
                },
                length: 3
            )
        }
        #expect(try self.error(put).message.contains("nothing came for 0.3 seconds"))
    }

    @Test("An answer that trickles is not idle, and ends with the whole")
    func whole() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        let trickle = ScriptedServer.Answer.drip([head] + Array(repeating: " ", count: 300), every: .milliseconds(50))
        let timeouts = S3Client.Timeouts(request: .seconds(1), copy: .seconds(40), idle: .milliseconds(600))
        let (list, elapsed) = try await self.with([trickle], timeouts) { try await $0.listObjects(bucket: "bucket") }
        let error = try self.error(list)
        #expect(error.message.contains("was not complete within 1.0 seconds"), "\(error)")
        #expect(elapsed >= .seconds(1))
    }

    @Test("A copy may be silent, before its answer and within, and may be kept alive by blanks")
    func copy() async throws {
        let timeouts = S3Client.Timeouts(
            request: .seconds(40),
            copy: .seconds(30),
            firstByte: .milliseconds(100),
            idle: .milliseconds(100)
        )
        let copied = UnreliableStoreTests.copied
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(copied.utf8.count + 5)\r\n\r\n"
        for pieces in [["", head + "     " + copied], [head, "     " + copied], [head, " ", " ", " ", " ", " ", copied]] {
            let (result, _) = try await self.with([.drip(pieces, every: .milliseconds(400))], timeouts) {
                try await $0.copyObject(self.copy)
            }
            #expect(try result.get().etag == "\"e\"")
        }
    }

    @Test("Blanks without end do not keep a copy for ever, and its outcome is unknown")
    func endlessCopy() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        let trickle = ScriptedServer.Answer.drip([head] + Array(repeating: " ", count: 300), every: .milliseconds(50))
        let (result, _) = try await self.with([trickle], S3Client.Timeouts(copy: .seconds(1))) {
            try await $0.copyObject(self.copy)
        }
        let error = try self.error(result)
        #expect(error.isOutcomeUnknown && error.cause == .timedOut)
    }

    @Test("A server that cannot be connected to, or does not speak TLS, is a failed connection: nothing was sent")
    func connect() async throws {
        var http = S3Client.httpClientConfiguration(connectTimeout: .milliseconds(400))
        http.dnsOverride = [:]
        let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: http)
        let result: Result<Void, any Error> = await {
            do {
                // Its queue of connections is full, so that the kernel answers no more of them.
                let full = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .serverChannelOption(.backlog, value: 1)
                    .serverChannelOption(.autoRead, value: false)
                    .bind(host: "127.0.0.1", port: 0).get()
                let port = try #require(full.localAddress?.port)
                var held: [any Channel] = []
                for _ in 0..<8 {
                    let connecting = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                        .connectTimeout(.milliseconds(300))
                        .connect(host: "127.0.0.1", port: port)
                    if let channel = try? await connecting.get() { held.append(channel) }
                }
                try await self.expectNoConnection("http://127.0.0.1:\(port)", httpClient)
                for channel in held { try? await channel.close() }
                try await full.close()
                try await ScriptedServer.with([.silence]) { server in
                    try await self.expectNoConnection(server.endpoint.replacing("http:", with: "https:"), httpClient)
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }()
        try await httpClient.shutdown()
        try result.get()
    }

    func expectNoConnection(_ endpoint: String, _ httpClient: HTTPClient) async throws {
        let client = S3Client(
            configuration: UnreliableStoreTests.configuration(endpoint),
            httpClient: httpClient,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            retry: S3RetryPolicy(attempts: 1)
        )
        let start = ContinuousClock.now
        let error = await #expect(throws: S3Error.self) { try await client.copyObject(self.copy) }
        #expect(error?.code == .connectionFailed, "\(String(describing: error))")
        #expect(error?.message.contains("no connection to \(endpoint)") == true)
        #expect(ContinuousClock.now - start < .seconds(15))
    }
}
