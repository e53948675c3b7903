import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import TestEnvironment
import Testing

@testable import S3

/// What the client puts right by itself, and sends once more.
@Suite("Clocks and credentials that S3 refuses", .timeLimit(.minutes(1)))
struct RemedyTests {
    static let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"
    static let expired = "<Error><Code>ExpiredToken</Code></Error>"
    static let copied = ScriptedServer.Answer.status("200 OK", UnreliableStoreTests.copied)

    static func date(_ distance: TimeInterval) -> String { "Date: \(Timestamp.http(Date(timeIntervalSinceNow: distance)))" }

    static func signedAt(_ request: String) throws -> Date {
        let line = try #require(request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("x-amz-date:") })
        return try #require(Timestamp.parseSignature(line.dropFirst(11).drop { $0 == " " }))
    }

    @Test("S3's time is taken over after a refusal for the time, for all that is signed later", arguments: [-7200.0, 100_000])
    func skew(distance: TimeInterval) async throws {
        let answers: [ScriptedServer.Answer] = [
            .status("403 Forbidden", headers: [Self.date(distance)], Self.skewed), Self.copied, UnreliableStoreTests.head,
        ]
        try await ScriptedServer.with(answers) { server in
            try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ async throws in
                let copy = S3CopyRequest(sourceBucket: "src", sourceKey: "a", bucket: "dst", key: "b")
                _ = try await client.copyObject(copy)
                _ = try await client.headObject(bucket: "bucket", key: "k")
                #expect(abs(client.clock.offset - distance) < 10)
                let dates = try server.requests.map { try Self.signedAt($0).timeIntervalSinceNow }
                #expect(abs(dates[0]) < 30 && abs(dates[1] - distance) < 30 && abs(dates[2] - distance) < 30)

                let url = try await client.presignedGetURL(bucket: "bucket", key: "k", expires: .seconds(60))
                let signed = Timestamp.signature(Date(timeIntervalSinceNow: distance)).prefix(11)
                #expect(url.contains("X-Amz-Date=\(signed)"))
                let policy = PostPolicy(
                    bucket: "bucket",
                    key: .exact("k"),
                    contentLength: 0...1,
                    expiration: Date(timeIntervalSinceNow: 600)
                )
                let fields = try await client.presignedPost(policy).fields
                let value = { (name: String) in fields.first { $0.name == name }?.value ?? "" }
                #expect(value("x-amz-date").hasPrefix(signed))
                let document = try #require(Data(base64Encoded: value("policy")))
                let end = try #require(String(decoding: document, as: UTF8.self).split(separator: "\"").dropFirst(3).first)
                #expect(abs(try #require(Timestamp.parseISO8601(end)).timeIntervalSinceNow - distance - 600) < 30)
            }
        }
    }

    @Test("A refused HEAD, which names no cause, is one for the time when S3's is far off")
    func head() async throws {
        for (distance, count) in [(3600.0, 2), (600, 1), (0, 1)] {
            let answers: [ScriptedServer.Answer] = [
                .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\(Self.date(distance))\r\n\r\n"),
                UnreliableStoreTests.head,
            ]
            try await ScriptedServer.with(answers) { server in
                try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ async throws in
                    _ = try? await client.headObject(bucket: "bucket", key: "k")
                    #expect(server.requests.count == count)
                }
            }
        }
    }

    @Test("A refusal for the time is repeated once at most, and not where the clock is right or the date is none")
    func skewOnce() async throws {
        for (dates, count) in [
            ([Self.date(0)], 1), (["Date: yesterday"], 1), ([], 1), (["Date: Fri, 01 Jan 9998 00:00:00 GMT"], 1),
            ([Self.date(9000)], 2),
        ] {
            try await ScriptedServer.with([.status("403 Forbidden", headers: dates, Self.skewed)]) { server in
                try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ async throws in
                    let error = await #expect(throws: S3Error.self) { try await client.listObjects(bucket: "bucket") }
                    #expect(error?.code == .requestTimeTooSkewed)
                    #expect(server.requests.count == count, "\(dates)")
                }
            }
        }
        // A clock that is wrong the other way each time does not keep a request for ever.
        let swinging = [9000.0, -9000, 9000, -9000, 9000].map {
            ScriptedServer.Answer.status("403 Forbidden", headers: [Self.date($0)], Self.skewed)
        }
        try await ScriptedServer.with(swinging) { server in
            try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ async throws in
                await #expect(throws: S3Error.self) { try await client.listObjects(bucket: "bucket") }
                #expect(server.requests.count == 2)
            }
        }
    }

    @Test("Many requests that are refused for one wrong clock correct it once, not once each")
    func manySkewed() async throws {
        let clock = ServerClock()
        let date = Timestamp.http(Date(timeIntervalSinceNow: 7200))
        for _ in 0..<5 { #expect(clock.correct(by: date, ifFartherThan: .seconds(10))) }
        #expect(abs(clock.offset - 7200) < 10)
        #expect(!ServerClock().correct(by: Timestamp.http(Date()), ifFartherThan: .seconds(10)))

        let skewed = ScriptedServer.Answer.status("403 Forbidden", headers: [Self.date(7200)], Self.skewed)
        try await ScriptedServer.with(Array(repeating: skewed, count: 8) + [UnreliableStoreTests.head]) { server in
            try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ in
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        // One of them may be refused twice, when another's repetition came before its first.
                        group.addTask { _ = try? await client.headObject(bucket: "bucket", key: "\(number)") }
                    }
                }
                #expect(abs(client.clock.offset - 7200) < 30)
                _ = try await client.headObject(bucket: "bucket", key: "k")
            }
        }
    }

    /// Gives other credentials each time, as an endpoint does after the old ones have ended.
    final class Endpoint: S3CredentialsProvider {
        let count = NIOLockedValueBox(0)

        func credentials() async throws -> S3Credentials {
            let number = self.count.withLockedValue { count in
                count += 1
                return count
            }
            return S3Credentials(
                accessKeyID: "ASIA\(number)",
                secretAccessKey: "s",
                sessionToken: "t",
                expiration: Date(timeIntervalSinceNow: 3600)
            )
        }
    }

    func refreshed<R: Sendable>(
        _ answers: [ScriptedServer.Answer],
        _ body: (S3Client, ScriptedServer) async throws -> R
    ) async throws -> R {
        try await ScriptedServer.with(answers) { server in
            var timing = RefreshingCredentials.Timing()
            timing.minimumAge = .zero
            var configuration = UnreliableStoreTests.configuration(server.endpoint)
            configuration.credentials = RefreshingCredentials(
                Endpoint(),
                timing: timing,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            return try await TestStore.withClient(configuration) { client, _ in try await body(client, server) }
        }
    }

    @Test("After ExpiredToken the credentials are renewed and the request repeated once, a copy too")
    func expiredToken() async throws {
        try await self.refreshed([.status("400 Bad Request", Self.expired), Self.copied]) { client, server async throws in
            let copy = S3CopyRequest(sourceBucket: "src", sourceKey: "a", bucket: "dst", key: "b")
            #expect(try await client.copyObject(copy).etag == "\"e\"")
            #expect(server.requests.map { $0.contains("Credential=ASIA1/") } == [true, false])
            #expect(server.requests[1].contains("Credential=ASIA2/"))
        }
        try await self.refreshed([.status("400 Bad Request", Self.expired)]) { client, server async throws in
            let error = await #expect(throws: S3Error.self) { try await client.listObjects(bucket: "bucket") }
            #expect(error?.code == .expiredToken)
            #expect(server.requests.count == 2)
        }
    }

    @Test("A HEAD of temporary credentials that is a bad request may be one for their end")
    func expiredHead() async throws {
        let refused = ScriptedServer.Answer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        try await self.refreshed([refused, UnreliableStoreTests.head]) { client, server async throws in
            #expect(try await client.headObject(bucket: "bucket", key: "k").size == 10)
            #expect(server.requests.count == 2)
        }
        let elsewhere = ScriptedServer.Answer.send(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nx-amz-bucket-region: eu-west-3\r\n\r\n"
        )
        try await self.refreshed([elsewhere, UnreliableStoreTests.head]) { client, server async throws in
            let error = await #expect(throws: S3Error.self) { try await client.headObject(bucket: "bucket", key: "k") }
            #expect(error?.region == "eu-west-3")
            #expect(server.requests.count == 1)
        }
    }

    @Test("Keys that were given once are not tried twice")
    func givenOnce() async throws {
        try await ScriptedServer.with([.status("400 Bad Request", Self.expired)]) { server in
            try await TestStore.withClient(UnreliableStoreTests.configuration(server.endpoint)) { client, _ async throws in
                let error = await #expect(throws: S3Error.self) { try await client.listObjects(bucket: "bucket") }
                #expect(error?.code == .expiredToken)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test("What is presigned ends with the credentials")
    func presigned() async throws {
        var configuration = UnreliableStoreTests.configuration("http://127.0.0.1:9")
        let end = Date(timeIntervalSinceNow: 100)
        configuration.credentials = StaticCredentials(
            S3Credentials(accessKeyID: "a", secretAccessKey: "b", sessionToken: "t", expiration: end)
        )
        try await TestStore.withClient(configuration) { client, _ async throws in
            let url = try await client.presignedGetURL(bucket: "bucket", key: "k", expires: .seconds(3600))
            let life = try #require(url.split(separator: "X-Amz-Expires=").last.flatMap { Int($0.prefix { $0 != "&" }) })
            #expect((90...100).contains(life))
            let policy = PostPolicy(
                bucket: "bucket",
                key: .exact("k"),
                contentLength: 0...1,
                expiration: Date(timeIntervalSinceNow: 3600)
            )
            let fields = try await client.presignedPost(policy).fields
            let document = try #require(fields.first { $0.name == "policy" }.flatMap { Data(base64Encoded: $0.value) })
            #expect(String(decoding: document, as: UTF8.self).contains(Timestamp.iso8601(end)))
        }
    }
}
