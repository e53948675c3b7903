import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import S3
import TestEnvironment
import Testing

/// Answers that are lost, cut, late or lies.
@Suite("A store that cannot be relied on", .timeLimit(.minutes(1)))
struct UnreliableStoreTests {
    typealias Answer = ScriptedServer.Answer

    static let copied =
        "<CopyObjectResult><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag></CopyObjectResult>"
    static let head = Answer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n")
    let copy = S3CopyRequest(sourceBucket: "src", sourceKey: "tmp/a", bucket: "dst", key: "b")

    static func configuration(_ endpoint: String) -> S3Configuration {
        S3Configuration(
            endpoint: endpoint,
            region: "us-east-1",
            credentials: StaticCredentials(accessKeyID: "a", secretAccessKey: "b")
        )
    }

    /// A client of a server that answers so, and the requests that it got.
    func with<R: Sendable>(
        _ answers: [Answer],
        timeout: Duration = .seconds(10),
        _ body: (S3Client) async throws -> R
    ) async throws -> (result: Result<R, any Error>, requests: [String]) {
        try await ScriptedServer.with(answers) { server in
            let result: Result<R, any Error> = try await TestStore.withClient(
                Self.configuration(server.endpoint),
                retry: S3RetryPolicy(baseDelay: .milliseconds(5)),
                timeouts: S3Client.Timeouts(request: timeout, copy: timeout)
            ) { client, _ in
                do {
                    return .success(try await body(client))
                } catch {
                    return .failure(error)
                }
            }
            return (result, server.requests)
        }
    }

    func error<R>(_ result: Result<R, any Error>) throws -> S3Error {
        let error = #expect(throws: S3Error.self) { try result.get() }
        return try #require(error)
    }

    @Test(
        "A copy whose answer is lost, cut or unclear is not repeated, and its outcome is unknown",
        arguments: [
            ("lost", Answer.sendAndClose(""), "ConnectionLost"),
            ("cut in the head", .sendAndClose("HTTP/1.1 200 OK\r\nContent-Le"), "ConnectionLost"),
            (
                "cut in the body",
                .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n<CopyObjectResult><ETag>x</ETag>"), "ConnectionLost"
            ),
            (
                "cut between chunks", .sendAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Copy\r\n"),
                "ConnectionLost"
            ),
            (
                "an error under 200", .status("200 OK", "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>"),
                "InternalError"
            ),
            (
                "without an ETag", .status("200 OK", "<CopyObjectResult><LastModified>x</LastModified></CopyObjectResult>"),
                "InvalidResponse"
            ),
            ("an empty ETag", .status("200 OK", "<CopyObjectResult><ETag></ETag></CopyObjectResult>"), "InvalidResponse"),
            ("another document", .status("200 OK", "<html><body>Welcome</body></html>"), "InvalidResponse"),
            ("no document", .status("200 OK", ""), "InvalidResponse"),
            ("not HTTP", .sendAndClose("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "ConnectionLost"),
            ("500", .status("500 Internal Server Error", "<Error><Code>InternalError</Code></Error>"), "InternalError"),
            ("a proxy's 503", .status("503 Service Unavailable", "<html>busy</html>"), "ServiceUnavailable"),
            ("a proxy's 504", .status("504 Gateway Timeout"), "InternalError"),
        ] as [(String, Answer, String)]
    )
    func unknownOutcome(name: String, answer: Answer, cause: String) async throws {
        let (result, requests) = try await self.with([answer]) { try await $0.copyObject(self.copy) }
        let error = try self.error(result)
        #expect(error.code == .outcomeUnknown)
        #expect(error.isOutcomeUnknown && error.retryable)
        #expect(error.cause?.rawValue == cause)
        #expect(requests.count == 1)
    }

    @Test("Silence ends at the deadline, also for a copy, and is an unknown outcome there")
    func silence() async throws {
        let (result, requests) = try await self.with([.silence], timeout: .seconds(2)) {
            try await $0.copyObject(self.copy)
        }
        #expect(try self.error(result).code == .outcomeUnknown)
        #expect(requests.count == 1)
        let (head, heads) = try await self.with([.silence, Self.head], timeout: .seconds(2)) {
            try await $0.headObject(bucket: "bucket", key: "k")
        }
        #expect(try head.get().size == 10)
        #expect(heads.count == 2)
    }

    @Test("A refused copy is repeated, since nothing was done")
    func refusedCopy() async throws {
        let (result, requests) = try await self.with([
            .status("503 Slow Down", "<Error><Code>SlowDown</Code></Error>"),
            .status("409 Conflict", "<Error><Code>ConditionalRequestConflict</Code></Error>"),
            .status("200 OK", Self.copied),
        ]) { try await $0.copyObject(self.copy) }
        #expect(try result.get().etag == "\"e\"")
        #expect(requests.count == 3)
    }

    @Test("A copy that S3 refuses for good under a status of 200 is that refusal")
    func refusalUnder200() async throws {
        let (result, requests) = try await self.with([
            .status("200 OK", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        ]) { try await $0.copyObject(self.copy) }
        #expect(try self.error(result).code == .accessDenied)
        #expect(requests.count == 1)
    }

    @Test("Completing an upload is as careful as a copy")
    func complete() async throws {
        for answer in [Answer.sendAndClose(""), .status("200 OK", "\n  \n<Error><Code>InternalError</Code></Error>")] {
            let (result, requests) = try await self.with([answer]) {
                try await $0.completeMultipartUpload(
                    bucket: "bucket",
                    key: "k",
                    uploadID: "u",
                    parts: [S3Part(number: 1, etag: "e")]
                )
            }
            #expect(try self.error(result).isOutcomeUnknown)
            #expect(requests.count == 1)
        }
    }

    @Test("HEAD, listing and deleting are repeated after a lost answer")
    func repeated() async throws {
        let cut = Answer.sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<ListBucketResult>")
        let (head, heads) = try await self.with([.sendAndClose(""), .status("500 Oops"), Self.head]) {
            try await $0.headObject(bucket: "bucket", key: "k")
        }
        #expect(try head.get().etag == "\"e\"")
        #expect(heads.count == 3)
        let (list, lists) = try await self.with([
            cut, .status("200 OK", "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
        ]) {
            try await $0.listObjects(bucket: "bucket")
        }
        #expect(try list.get().objects.isEmpty)
        #expect(lists.count == 2)
        let (delete, deletes) = try await self.with([.sendAndClose(""), .status("204 No Content")]) {
            try await $0.deleteObject(bucket: "bucket", key: "k")
        }
        #expect(throws: Never.self) { try delete.get() }
        #expect(deletes.count == 2)
    }

    @Test("Attempts end, and the last error is thrown")
    func attemptsEnd() async throws {
        let (result, requests) = try await self.with([.status("502 Bad Gateway", "<html>")]) {
            try await $0.listObjects(bucket: "bucket")
        }
        let error = try self.error(result)
        #expect(error.status == 502)
        #expect(error.retryable)
        #expect(requests.count == 3)
    }

    @Test("An object whose bytes break off is read on from there, fenced to its ETag")
    func resumedRead() async throws {
        let (result, requests) = try await self.with([
            .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n0123"),
            .sendAndClose(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nContent-Range: bytes 4-9/10\r\nETag: \"e\"\r\n\r\n45"
            ),
            .status("206 Partial Content", headers: ["Content-Range: bytes 6-9/10", "ETag: \"e\""], "6789"),
        ]) { client in
            let body = try await client.getObject(bucket: "bucket", key: "k")
            var text = ""
            for try await buffer in body { text += String(buffer: buffer) }
            return (text, body.head.size)
        }
        #expect(try result.get() == ("0123456789", 10))
        #expect(requests.count == 3)
        #expect(requests[1].lowercased().contains("range: bytes=4-9\r\n"))
        #expect(requests[1].lowercased().contains("if-match: \"e\"\r\n"))
        #expect(requests[2].lowercased().contains("range: bytes=6-9\r\n"))
    }

    @Test("An object that changed while it was read fails instead of mixing two")
    func changedRead() async throws {
        let (result, _) = try await self.with([
            .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\n0123"),
            .status("412 Precondition Failed", "<Error><Code>PreconditionFailed</Code></Error>"),
        ]) { client in
            for try await _ in try await client.getObject(bucket: "bucket", key: "k") {}
        }
        #expect(try self.error(result).code == .preconditionFailed)
    }

    @Test("A server that asks for a moment gets it; one that asks for an hour is handed on")
    func retryAfter() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let (short, _) = try await self.with([.status("503 Busy", headers: ["Retry-After: 1"]), Self.head]) {
            try await $0.headObject(bucket: "bucket", key: "k")
        }
        #expect(try short.get().size == 10)
        #expect(clock.now - start >= .seconds(1))
        let (long, requests) = try await self.with([.status("503 Busy", headers: ["Retry-After: 3600"])]) {
            try await $0.headObject(bucket: "bucket", key: "k")
        }
        #expect(try self.error(long).retryAfter == .seconds(3600))
        #expect(requests.count == 1)
    }

    @Test("Keys are sent exactly as they are, dots and slashes too")
    func verbatim() async throws {
        for (key, path) in [
            ("//a/../b/./c//", "/bucket///a/../b/./c//"), ("../../other/k", "/bucket/../../other/k"),
            ("100%.txt", "/bucket/100%25.txt"),
            ("a+b &?#=;,\"", "/bucket/a%2Bb%20%26%3F%23%3D%3B%2C%22"), ("e\u{301}🦊", "/bucket/e%CC%81%F0%9F%A6%8A"),
            (".", "/bucket/."),
            ("%2e%2E/", "/bucket/%252e%252E/"),
        ] {
            let (result, requests) = try await self.with([Self.head]) { try await $0.headObject(bucket: "bucket", key: key) }
            #expect(throws: Never.self) { try result.get() }
            #expect(requests.first?.hasPrefix("HEAD \(path) HTTP/1.1\r\n") == true, "\(requests)")
        }
    }

    @Test("Answers are bounded, whatever the server sends")
    func bounded() async throws {
        let flood =
            "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n"
            + String(repeating: "400\r\n\(String(repeating: "x", count: 1024))\r\n", count: 200)
        let (error, _) = try await self.with([.send(flood)]) { try await $0.listObjects(bucket: "bucket") }
        #expect(try self.error(error).code == .internalError)
        let (list, _) = try await self.with([.status("200 OK", String(repeating: "x", count: 9 << 20))]) {
            try await $0.listObjects(bucket: "bucket")
        }
        #expect(try self.error(list).code == .invalidResponse)
        let (bomb, _) = try await self.with([
            .status("200 OK", "<!DOCTYPE a [<!ENTITY b \"c\">]><CopyObjectResult><ETag>&b;</ETag></CopyObjectResult>")
        ]) {
            try await $0.copyObject(self.copy)
        }
        #expect(try self.error(bomb).cause == .invalidResponse)
    }

    @Test("A cancelled call ends at once, as cancelled")
    func cancellation() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let (result, _) = try await self.with([.silence], timeout: .seconds(50)) { client in
            let task = Task { try await client.copyObject(self.copy) }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            return try await task.value
        }
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(clock.now - start < .seconds(10))
    }

    @Test("A header that would not arrive unchanged is refused before anything is sent")
    func headers() async throws {
        var copy = self.copy
        for value in ["a\r\nx-amz-acl: public-read", "ü", "\u{0}"] {
            copy.attributes.contentDisposition = value
            let (result, requests) = try await self.with([.status("200 OK", Self.copied)]) { try await $0.copyObject(copy) }
            #expect(try self.error(result).code == .invalidArgument)
            #expect(requests.isEmpty)
        }
    }

    @Test("A refused connection is an error that names the endpoint, and never an unknown outcome")
    func refused() async throws {
        // A port that was free a moment ago.
        let free = try await ScriptedServer.with([.silence]) { $0.endpoint }
        for endpoint in [free, free.replacing("127.0.0.1", with: "localhost")] {
            try await TestStore.withClient(
                Self.configuration(endpoint),
                retry: S3RetryPolicy(baseDelay: .milliseconds(5))
            ) { client, _ in
                let head = await #expect(throws: S3Error.self) { try await client.headObject(bucket: "bucket", key: "k") }
                #expect(head?.code == .connectionFailed)
                #expect(head?.retryable == true)
                #expect(head?.message.contains(endpoint) == true)
                #expect(head?.message.contains("refused") == true, "\(String(describing: head))")
                let copied = await #expect(throws: S3Error.self) { try await client.copyObject(self.copy) }
                #expect(copied?.code == .connectionFailed)
            }
        }
    }

    @Test("A provider of credentials that fails is not a failure of S3, and may come back")
    func provider() async throws {
        actor Flaky: S3CredentialsProvider {
            struct Offline: Error {}
            var calls = 0

            func credentials() async throws -> S3Credentials {
                self.calls += 1
                if self.calls == 1 { throw Offline() }
                return S3Credentials(accessKeyID: "a", secretAccessKey: "b")
            }
        }
        try await ScriptedServer.with([.status("200 OK", Self.copied)]) { server in
            var configuration = Self.configuration(server.endpoint)
            configuration.credentials = Flaky()
            try await TestStore.withClient(configuration, retry: S3RetryPolicy(attempts: 1)) { client, _ in
                let error = await #expect(throws: S3Error.self) { try await client.copyObject(self.copy) }
                #expect(error?.code == .credentialsUnavailable)
                #expect(error?.retryable == true)
                let copied = try await client.copyObject(self.copy)
                #expect(copied.etag == "\"e\"")
            }
        }
    }

    @Test("The copy's request says what the copy should be")
    func copyRequest() async throws {
        var copy = S3CopyRequest(sourceBucket: "src", sourceKey: "tmp/100% ü+/a", bucket: "dst", key: "b c")
        copy.sourceVersionID = "v/1"
        copy.sourceIfMatch = "\"e\""
        copy.attributes.contentType = "text/plain"
        copy.attributes.contentDisposition = "attachment"
        copy.attributes.cacheControl = "max-age=1"
        copy.attributes.metadata = ["S3file-Upload": "id"]
        copy.attributes.tags = ["kind": "größe + co", "scanned": ""]
        copy.attributes.storageClass = "STANDARD_IA"
        copy.attributes.encryption = .kms(keyID: "key-1")
        copy.attributes.acl = "bucket-owner-full-control"
        copy.ifNoneMatch = true
        let sent = copy
        let (result, requests) = try await self.with([.status("200 OK", headers: ["x-amz-version-id: v2"], Self.copied)]) {
            try await $0.copyObject(sent)
        }
        #expect(try result.get().versionID == "v2")
        #expect(try result.get().lastModified == Timestamp.parseISO8601("2026-01-01T00:00:00Z"))
        let head = try #require(requests.first)
        #expect(head.hasPrefix("PUT /dst/b%20c HTTP/1.1\r\n"))
        for header in [
            "x-amz-copy-source: src/tmp/100%25%20%C3%BC%2B/a?versionId=v%2F1", "x-amz-copy-source-if-match: \"e\"",
            "x-amz-metadata-directive: REPLACE", "x-amz-tagging-directive: REPLACE", "content-type: text/plain",
            "content-disposition: attachment", "cache-control: max-age=1", "x-amz-meta-s3file-upload: id", "if-none-match: *",
        ] + Self.said {
            #expect(head.contains("\r\n\(header)\r\n"), "\(header)")
        }
    }

    /// Of the attributes above.
    private static let said = [
        "x-amz-tagging: kind=gr%C3%B6%C3%9Fe%20%2B%20co&scanned=", "x-amz-storage-class: STANDARD_IA",
        "x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: key-1",
        "x-amz-acl: bucket-owner-full-control",
    ]

    @Test("A copy in parts says the same when it begins; what nobody asked for is not sent")
    func attributesOfParts() async throws {
        let attributes = S3ObjectAttributes(
            contentType: "text/plain",
            tags: ["kind": "größe + co", "scanned": ""],
            storageClass: "STANDARD_IA",
            encryption: .kms(keyID: "key-1"),
            acl: "bucket-owner-full-control"
        )
        let begun = ScriptedServer.Answer.status(
            "200 OK",
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        )
        let (result, requests) = try await self.with([begun, begun, .status("200 OK", Self.copied)]) { client in
            _ = try await client.createMultipartUpload(bucket: "dst", key: "b", attributes: attributes)
            _ = try await client.createMultipartUpload(bucket: "dst", key: "b", attributes: S3ObjectAttributes(encryption: .s3))
            _ = try await client.copyObject(self.copy)
        }
        try result.get()
        try #require(requests.count == 3)
        for header in Self.said { #expect(requests[0].contains("\r\n\(header)\r\n"), "\(header)") }
        #expect(requests[1].contains("\r\nx-amz-server-side-encryption: AES256\r\n"))
        for name in ["x-amz-acl", "x-amz-storage-class", "x-amz-tagging:", "x-amz-server-side-encryption-aws"] {
            #expect(!requests[1].contains("\r\n" + name), "\(name)")
        }
        for name in ["x-amz-acl", "x-amz-storage-class", "x-amz-tagging:", "x-amz-server-side-encryption"] {
            #expect(!requests[2].contains("\r\n" + name), "\(name)")
        }
    }
}
