import AsyncHTTPClient
import Crypto
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import S3
import S3DevServer
import TestEnvironment

extension TestDevServer {
    /// This project's own client of the server.
    func withClient<Result: Sendable>(_ body: (S3Client) async throws -> Result) async throws -> Result {
        let http = HTTPClient(configuration: S3Client.httpClientConfiguration(connectTimeout: .seconds(60)))
        let client = S3Client(
            configuration: S3Configuration(
                endpoint: self.endpoint,
                region: self.configuration.region,
                credentials: StaticCredentials(self.credentials)
            ),
            httpClient: http,
            logger: Logger(label: "S3Client", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        do {
            let result = try await body(client)
            try await http.shutdown()
            return result
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    struct Answer: Sendable {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: String

        func header(_ name: String) -> String? { self.headers.first { $0.name.lowercased() == name }?.value }
        var code: String? { self.body.firstMatch(of: #/<Code>(.*?)<\/Code>/#).map { String($0.1) } }
    }

    /// A request as it is given, signed or not.
    func send(
        _ method: String,
        _ target: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: self.endpoint + target)
        request.method = .RAW(value: method)
        for header in headers where header.name != "host" {
            request.headers.add(name: header.name, value: header.value)
        }
        if method == "PUT" || method == "POST" {
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return Answer(
            status: Int(response.status.code),
            headers: response.headers.map { ($0.name, $0.value) },
            body: String(buffer: try await response.body.collect(upTo: 1 << 20))
        )
    }

    /// The headers that sign a request, now or at another time.
    func signed(
        _ method: String,
        _ path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        payloadHash: String = SigV4.payloadHash([]),
        now: Date = Date()
    ) -> [(name: String, value: String)] {
        let headers = [(name: "host", value: "127.0.0.1:\(self.port)")] + headers
        return headers
            + SigV4.authorizationHeaders(
                for: SigV4.Request(method: method, path: path, query: query, headers: headers, payloadHash: payloadHash),
                credentials: self.credentials,
                region: self.configuration.region,
                now: now
            )
    }

    private func connect() async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: self.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// Sends text on a connection of its own, and returns what comes back until the server has said `expected` or closed.
    func exchange(_ text: String, until expected: String = "\r\n\r\n") async throws -> String {
        try await self.connect().executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await buffer in inbound {
                answer += String(buffer: buffer)
                if answer.contains(expected) {
                    break
                }
            }
            return answer
        }
    }

    /// Sends text, then more when `body` has returned, and returns all that comes back until the server closes.
    func exchange(_ text: String, then more: String, when body: @Sendable () async throws -> Void) async throws -> String {
        try await self.connect().executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            try await body()
            try await outbound.write(ByteBuffer(string: more))
            var answer = ByteBuffer()
            for try await buffer in inbound {
                answer.writeImmutableBuffer(buffer)
            }
            return String(buffer: answer)
        }
    }

    /// Sends text, and closes the connection when `body` returns.
    func hangingUp(after text: String, _ body: () async throws -> Void) async throws {
        try await self.connect().executeThenClose { _, outbound in
            try await outbound.write(ByteBuffer(string: text))
            try await body()
        }
    }

    /// A request whose target no client library gets to tidy up; the whole answer as text.
    func raw(_ method: String, _ target: String, _ headers: [(name: String, value: String)], _ body: [UInt8]) async throws
        -> String
    {
        var bytes = ByteBuffer(string: "\(method) \(target) HTTP/1.1\r\n")
        for header in headers + [("content-length", String(body.count)), ("connection", "close")] {
            bytes.writeString("\(header.name): \(header.value)\r\n")
        }
        bytes.writeString("\r\n")
        bytes.writeBytes(body)
        return try await self.connect().executeThenClose { [bytes] inbound, outbound in
            try await outbound.write(bytes)
            var answer = ByteBuffer()
            for try await buffer in inbound {
                answer.writeImmutableBuffer(buffer)
            }
            return String(buffer: answer)
        }
    }
}

func contentMD5(_ bytes: [UInt8]) -> String {
    Data(Insecure.MD5.hash(data: bytes)).base64EncodedString()
}

/// Waits until something is so, at most ten seconds.
func eventuallyTrue(_ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if try await condition() {
            return true
        }
        try await Task.sleep(for: .milliseconds(20))
    }
    return false
}
