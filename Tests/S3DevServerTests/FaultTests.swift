import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import S3
import TestEnvironment
import Testing

@testable import S3DevServer

@Suite("Faults")
struct FaultTests {
    private func withFaults<Result: Sendable>(
        _ rules: String,
        _ body: (TestDevServer) async throws -> Result
    ) async throws -> Result {
        let parsed = try FaultRule.parse(rules)
        return try await TestDevServer.run(configure: { $0.faultRules = parsed }, body)
    }

    private func put(_ server: TestDevServer, _ key: String, condition: Bool = false) async throws -> TestDevServer.Answer {
        let target = "/\(server.bucket)/\(key)"
        let extra: [(name: String, value: String)] = condition ? [("if-none-match", "*")] : []
        let headers = server.signed("PUT", target, headers: extra, payloadHash: "UNSIGNED-PAYLOAD")
        return try await server.send("PUT", target, headers: headers, body: Array("content".utf8))
    }

    private func get(_ server: TestDevServer, _ key: String) async throws -> TestDevServer.Answer {
        let target = "/\(server.bucket)/\(key)"
        return try await server.send("GET", target, headers: server.signed("GET", target))
    }

    @Test("Refusals answer with their code, and nothing is done")
    func refusals() async throws {
        for (fault, status, code) in [
            ("slow-down", 503, "SlowDown"), ("unavailable", 503, "ServiceUnavailable"), ("internal-error", 500, "InternalError"),
            ("conflict", 409, "OperationAborted"), ("error-in-200", 200, "InternalError"),
            ("precondition-failed", 412, "PreconditionFailed"),
        ] {
            try await self.withFaults("\(fault) method=PUT") { server async throws in
                let answer = try await self.put(server, "k")
                #expect(answer.status == status)
                #expect(answer.code == code)
                #expect(try await self.get(server, "k").code == "NoSuchKey")
            }
        }
        try await self.withFaults("conflict") { server async throws in
            #expect(try await self.put(server, "k", condition: true).code == "ConditionalRequestConflict")
        }
    }

    @Test("A lost request does nothing, and a lost reply all")
    func lost() async throws {
        for (fault, isDone) in [("lose-request", false), ("lose-reply", true), ("truncate", true)] {
            try await self.withFaults("\(fault) method=PUT") { server async throws in
                await #expect(throws: (any Error).self) { try await self.put(server, "k") }
                #expect(try await self.get(server, "k").status == (isDone ? 200 : 404))
            }
        }
    }

    @Test("A body can break off or fall silent in its middle")
    func bodies() async throws {
        try await self.withFaults("truncate operation=GetObject times=1; stall=300ms operation=GetObject times=1") {
            server async throws in
            #expect(try await self.put(server, "k").status == 200)
            for fault in ["truncate", "stall"] {
                let target = "/\(server.bucket)/k"
                let answer = try await server.raw("GET", target, server.signed("GET", target), [])
                #expect(answer.contains("content-length: 7") || answer.contains("Content-Length: 7"), "\(fault)")
                #expect(answer.hasSuffix("\r\n\r\ncon"), "\(fault): \(answer)")
            }
            #expect(try await self.get(server, "k").body == "content")
        }
    }

    @Test("Rules say which requests they are about, and how often")
    func selection() async throws {
        try await self.withFaults("slow-down operation=PutObject every=3; internal-error prefix=bad/ times=2; unavailable rate=0")
        { server async throws in
            var codes: [String?] = []
            for _ in 0..<6 {
                codes.append(try await self.put(server, "k").code)
            }
            #expect(codes == [nil, nil, "SlowDown", nil, nil, "SlowDown"])
            var gets: [String?] = []
            for _ in 0..<3 {
                gets.append(try await self.get(server, "bad/k").code)
            }
            #expect(gets == ["InternalError", "InternalError", "NoSuchKey"])
            #expect(try await self.get(server, "good").code == "NoSuchKey")
        }
    }

    @Test("Faults are read, replaced and ended while the server runs, only on loopback, and only where that was asked for")
    func control() async throws {
        try await self.withFaults("") { server async throws in
            let set = try await server.send("PUT", "/_faults", body: Array("slow-down times=5, latency=1ms\n".utf8))
            #expect(set.status == 400)
            #expect(set.body.contains("latency"))
            #expect(try await server.send("PUT", "/_faults", body: Array("slow-down times=5; latency=1ms".utf8)).status == 200)
            #expect(try await self.put(server, "k").code == "SlowDown")
            #expect(try await server.send("GET", "/_faults").body == "slow-down times=5  # 1 of 1\nlatency=1ms  # 1 of 1\n")
            #expect(try await server.send("DELETE", "/_faults").body == "")
            #expect(try await self.put(server, "k").status == 200)
            let elsewhere = try await server.raw("PUT", "/_faults", [("host", "evil.example:80")], Array("stall".utf8))
            #expect(elsewhere.hasPrefix("HTTP/1.1 403"))
            let page = try await server.send(
                "OPTIONS",
                "/_faults",
                headers: [("origin", "http://evil.example"), ("access-control-request-method", "PUT")]
            )
            #expect(page.status == 405)
            #expect(page.header("access-control-allow-origin") == nil)
        }
        try await TestDevServer.run { server async throws in
            #expect(try await server.send("GET", "/_faults").code == "AccessDenied")
        }
    }

    @Test(
        "What is no rule is refused by a sentence",
        arguments: [
            "slow", "latency", "latency=30", "slow-down=3s", "slow-down rate=2", "slow-down every=0", "slow-down times=-1",
            "slow-down key", "stall=1h", "lose-reply operation=",
        ]
    )
    func malformed(text: String) {
        let error = #expect(throws: S3DevServerError.self) { try FaultRule.parse(text) }
        #expect(error?.code == .configuration)
    }

    @Test("A rule is written as it is read")
    func text() throws {
        let text = "stall=60000ms operation=CopyObject method=PUT bucket=b prefix=tmp/ rate=0.25 every=2 times=3"
        #expect(try FaultRule.parse(text).map(\.description) == [text])
        #expect(try FaultRule.parse(" \n;; latency=2s,method=get ;\r\n").map(\.description) == ["latency=2000ms method=GET"])
    }

    @Test("Requests that wait for a latency hold no thread: others are answered meanwhile")
    func latency() async throws {
        // More than there are threads, and no more than a client has connections.
        let crowd = 64
        let waiting = NIOLockedValueBox(0)
        let seen: @Sendable (Faults.Operation) -> Duration = { operation in
            if operation.name == "HeadObject" { waiting.withLockedValue { $0 += 1 } }
            return .zero
        }
        let rules = try FaultRule.parse("latency=3600s operation=HeadObject")
        let configure: (inout S3DevServerConfiguration) -> Void = { configuration in
            configuration.faultRules = rules
            configuration.faults = Faults(latency: seen)
        }
        try await TestDevServer.run(configure: configure) { server in
            try await server.withClient { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<crowd {
                        group.addTask { _ = try await client.headObject(bucket: server.bucket, key: "k") }
                    }
                    try await eventually("all of them wait") { waiting.withLockedValue { $0 } >= crowd }
                    #expect(try await self.put(server, "k").status == 200)
                    #expect(try await self.get(server, "k").status == 200)
                    group.cancelAll()
                    while !group.isEmpty { _ = try? await group.next() }
                }
            }
        }
    }

    @Test("Every operation is known by S3's name of it")
    func names() {
        func name(_ method: String, _ parameters: Set<String> = [], key: String? = "k", copies: Bool = false) -> String {
            Faults.Operation(method: method, bucket: "b", key: key, parameters: parameters, isCopy: copies).name
        }
        #expect(name("PUT") == "PutObject")
        #expect(name("PUT", copies: true) == "CopyObject")
        #expect(name("PUT", ["uploadId", "partNumber"]) == "UploadPart")
        #expect(name("PUT", ["uploadId", "partNumber"], copies: true) == "UploadPartCopy")
        #expect(name("POST", ["uploads"]) == "CreateMultipartUpload")
        #expect(name("POST", ["uploadId"]) == "CompleteMultipartUpload")
        #expect(name("DELETE", ["uploadId"]) == "AbortMultipartUpload")
        #expect(name("GET", ["uploadId"]) == "ListParts")
        #expect(name("GET") == "GetObject")
        #expect(name("HEAD") == "HeadObject")
        #expect(name("DELETE") == "DeleteObject")
        #expect(name("PUT", ["tagging"]) == "PutObjectTagging")
        #expect(name("POST", ["delete"], key: nil) == "DeleteObjects")
        #expect(name("POST", key: nil) == "PostObject")
        #expect(name("GET", ["list-type"], key: nil) == "ListObjectsV2")
        #expect(name("GET", ["uploads"], key: nil) == "ListMultipartUploads")
        #expect(name("GET", ["versions"], key: nil) == "ListObjectVersions")
        #expect(name("PUT", ["versioning"], key: nil) == "PutBucketVersioning")
        #expect(name("PUT", ["cors"], key: nil) == "PutBucketCORS")
        #expect(name("PUT", key: nil) == "CreateBucket")
    }
}
