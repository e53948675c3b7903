import AsyncHTTPClient
import Foundation
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

@Suite("S3's protocol")
struct ProtocolTests {
    @Test("This project's client does all it can do")
    func ownClient() async throws {
        try await TestDevServer.run(configure: { $0.minimumPartSize = 1 }) { server in
            try await server.withClient { client in
                let bucket = server.bucket
                let put = try await client.putObject(
                    bucket: bucket,
                    key: "tmp/a b",
                    body: ByteBuffer(string: "content"),
                    attributes: S3ObjectAttributes(contentType: "text/plain", metadata: ["note": "one"])
                )
                let head = try await client.headObject(bucket: bucket, key: "tmp/a b")
                #expect(head.size == 7)
                #expect(head.etag == put.etag)
                var copy = S3CopyRequest(sourceBucket: bucket, sourceKey: "tmp/a b", bucket: bucket, key: "stored/a")
                copy.sourceIfMatch = put.etag
                copy.ifNoneMatch = true
                copy.attributes.contentType = "image/png"
                copy.attributes.metadata = ["s3file-upload": "1"]
                #expect(try await client.copyObject(copy).etag == put.etag)
                #expect(try await client.headObject(bucket: bucket, key: "stored/a").metadata == ["s3file-upload": "1"])
                let again = await #expect(throws: S3Error.self) { try await client.copyObject(copy) }
                #expect(again?.code == .preconditionFailed)
                copy.key = "stored/b"
                copy.sourceIfMatch = "\"other\""
                let changed = await #expect(throws: S3Error.self) { try await client.copyObject(copy) }
                #expect(changed?.code == .preconditionFailed)
                let body = try await client.getObject(bucket: bucket, key: "stored/a", range: 2...4)
                var text = ""
                for try await buffer in body {
                    text += String(buffer: buffer)
                }
                #expect(text == "nte")
                let listing = try await client.listObjects(bucket: bucket, prefix: "stored/")
                #expect(listing.objects.map(\.key) == ["stored/a"])
                let url = try await client.presignedGetURL(bucket: bucket, key: "tmp/a b", expires: .seconds(60))
                let presigned = try await server.send("GET", String(url.dropFirst(server.endpoint.count)))
                #expect(presigned.body == "content")
                try await client.deleteObject(bucket: bucket, key: "tmp/a b")
                let missing = await #expect(throws: S3Error.self) { try await client.headObject(bucket: bucket, key: "tmp/a b") }
                #expect(missing?.status == 404)
            }
        }
    }

    @Test("Every answer names the server, errors included")
    func serverHeader() async throws {
        try await TestDevServer.run { server in
            for (method, target) in [
                ("GET", "/"), ("GET", "/\(server.bucket)/k"), ("OPTIONS", "/"), ("PUT", "/x%zz"), ("PATCH", "/a/b"),
            ] {
                let answer = try await server.send(method, target)
                #expect(answer.header("server") == "S3DevServer")
                #expect(answer.header("x-amz-request-id") != nil)
            }
        }
    }

    @Test("A request without a signature is denied, as S3 denies it")
    func anonymous() async throws {
        try await TestDevServer.run { server in
            let answer = try await server.send("GET", "/")
            #expect(answer.status == 403)
            #expect(answer.code == "AccessDenied")
            #expect(answer.body.contains("<Resource>/</Resource>"))
            for (method, target) in [
                ("GET", "/\(server.bucket)"), ("PUT", "/\(server.bucket)/k"), ("DELETE", "/\(server.bucket)/k"),
                ("GET", "/none/k"),
            ] {
                #expect(try await server.send(method, target).code == "AccessDenied")
            }
            for target in ["/%ff", "/b/%ff", "/b/%zz", "/b/k?a=%ff", "//k"] {
                let raw = try await server.raw("GET", target, [("host", "localhost")], [])
                #expect(raw.contains("<Code>InvalidURI</Code>"), "\(target)")
            }
            #expect(try await server.send("GET", "/b/" + String(repeating: "k", count: 1025)).code == "KeyTooLongError")
        }
    }

    @Test("A clock that is wrong by more than 15 minutes, a missing hash and an unsigned header are refused")
    func signatures() async throws {
        try await TestDevServer.run { server async throws in
            let target = "/\(server.bucket)"
            for minutes in [-14.0, 14] {
                let headers = server.signed("GET", target, now: Date(timeIntervalSinceNow: 60 * minutes))
                #expect(try await server.send("GET", target, headers: headers).status == 200)
            }
            for minutes in [-16.0, 16] {
                let headers = server.signed("GET", target, now: Date(timeIntervalSinceNow: 60 * minutes))
                #expect(try await server.send("GET", target, headers: headers).code == "RequestTimeTooSkewed")
            }
            let headers = server.signed("GET", target)
            let unsigned = headers + [(name: "x-amz-copy-source", value: "/a/b")]
            #expect(try await server.send("GET", target, headers: unsigned).code == "AccessDenied")
            let hashless = headers.filter { $0.name != "x-amz-content-sha256" }
            #expect(try await server.send("GET", target, headers: hashless).code == "InvalidRequest")
            #expect(try await server.send("GET", target + "?prefix=a", headers: headers).code == "SignatureDoesNotMatch")
            #expect(try await server.send("DELETE", target, headers: headers).code == "SignatureDoesNotMatch")
        }
    }

    @Test("A body that is not what its signature says is refused and leaves nothing")
    func payloadHash() async throws {
        try await TestDevServer.run { server in
            let target = "/\(server.bucket)/k"
            let headers = server.signed("PUT", target, payloadHash: SigV4.payloadHash(Array("promised".utf8)))
            let answer = try await server.send("PUT", target, headers: headers, body: Array("sent".utf8))
            #expect(answer.status == 400)
            #expect(answer.code == "XAmzContentSHA256Mismatch")
            #expect(try await server.send("PUT", target, headers: headers, body: Array("promised".utf8)).status == 200)
            let unsigned = server.signed("PUT", target, payloadHash: "UNSIGNED-PAYLOAD")
            #expect(try await server.send("PUT", target, headers: unsigned, body: Array("anything".utf8)).status == 200)
            let nonsense = server.signed("PUT", target, payloadHash: "nonsense")
            #expect(try await server.send("PUT", target, headers: nonsense, body: Array("x".utf8)).code == "InvalidArgument")
            #expect(try temporaryFiles(of: server).isEmpty)
        }
    }

    @Test("Bodies in unsigned chunks with a trailing checksum are unwrapped and verified")
    func unsignedChunks() async throws {
        try await TestDevServer.run { server in
            let target = "/\(server.bucket)/k"
            func put(_ body: String, length: Int) async throws -> TestDevServer.Answer {
                let headers = server.signed(
                    "PUT",
                    target,
                    headers: [
                        ("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", String(length)),
                        ("x-amz-trailer", "x-amz-checksum-crc32"),
                    ],
                    payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
                )
                return try await server.send("PUT", target, headers: headers, body: Array(body.utf8))
            }
            #expect(
                try await put("5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n", length: 9).status == 200
            )
            let get = try await server.send("GET", target, headers: server.signed("GET", target))
            #expect(get.body == "123456789")
            #expect(get.header("content-encoding") == nil)
            for (body, length, code) in [
                ("5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 9, "BadDigest"),
                ("9\r\n123456789\r\n0\r\n\r\n", 9, "MalformedTrailerError"),
                ("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n", 10, "IncompleteBody"),
                ("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n", 8, "EntityTooLarge"),
                ("9\r\n123456789\r\n", 9, "IncompleteBody"),
                ("9\r\n123456789x\r\n0\r\n\r\n", 9, "IncompleteBody"),
                ("zz\r\n", 9, "IncompleteBody"),
            ] {
                #expect(try await put(body, length: length).code == code, "\(body)")
            }
        }
    }

    @Test("Bodies in signed chunks are verified chunk by chunk")
    func signedChunks() async throws {
        try await TestDevServer.run { server in
            let target = "/\(server.bucket)/k"
            let headers = server.signed(
                "PUT",
                target,
                headers: [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "9")],
                payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            )
            let timestamp = try #require(headers.first { $0.name == "x-amz-date" }?.value)
            let authorization = try #require(headers.first { $0.name == "authorization" }?.value)
            let scope = SigV4.Scope(date: String(timestamp.prefix(8)), region: "us-east-1", service: "s3")
            let key = SigV4.signingKey(secret: server.credentials.secretAccessKey, date: scope.date, region: scope.region)
            var previous = String(authorization.suffix(64))
            var chunks: [String] = []
            for data in ["12345", "6789", ""] {
                previous = SigV4.signature(
                    of: [
                        "AWS4-HMAC-SHA256-PAYLOAD", timestamp, "\(scope)", previous, SigV4.payloadHash([]),
                        SigV4.payloadHash(data.utf8),
                    ]
                    .joined(separator: "\n"),
                    key: key
                )
                chunks.append("\(String(data.utf8.count, radix: 16));chunk-signature=\(previous)\r\n\(data)\r\n")
            }
            let body = chunks.joined()
            #expect(try await server.send("PUT", target, headers: headers, body: Array(body.utf8)).status == 200)
            #expect(try await server.send("GET", target, headers: server.signed("GET", target)).body == "123456789")
            for bad in [
                body.replacing("\r\n12345\r\n", with: "\r\n12346\r\n"), chunks[0] + chunks[2] + chunks[1],
                body.replacing("chunk-signature", with: "x"),
            ] {
                let answer = try await server.send("PUT", target, headers: headers, body: Array(bad.utf8))
                #expect(answer.code == "SignatureDoesNotMatch")
            }
        }
    }

    @Test("Pages of allowed origins may post, and read the ETag and errors; others may not")
    func cors() async throws {
        try await TestDevServer.run(configure: { $0.allowedOrigins = ["http://127.0.0.1:8000"] }) { server in
            let target = "/\(server.bucket)"
            let asked: [(name: String, value: String)] = [
                ("access-control-request-method", "POST"), ("access-control-request-headers", "content-type, x-own"),
            ]
            let allowed = try await server.send("OPTIONS", target, headers: asked + [("origin", "http://127.0.0.1:8000")])
            #expect(allowed.status == 200)
            #expect(allowed.header("access-control-allow-origin") == "http://127.0.0.1:8000")
            #expect(allowed.header("access-control-allow-methods")?.contains("POST") == true)
            #expect(allowed.header("access-control-allow-headers") == "content-type, x-own")
            #expect(allowed.header("vary")?.contains("Origin") == true)
            let other = try await server.send("OPTIONS", target, headers: asked + [("origin", "http://evil.example")])
            #expect(other.status == 403)
            #expect(other.code == "AccessForbidden")
            #expect(other.header("access-control-allow-origin") == nil)
            let denied = try await server.send("GET", target, headers: [("origin", "http://127.0.0.1:8000")])
            #expect(denied.status == 403)
            #expect(denied.header("access-control-allow-origin") == "http://127.0.0.1:8000")
            #expect(denied.header("access-control-expose-headers")?.contains("ETag") == true)
        }
    }

    @Test("An upload that breaks off leaves nothing", arguments: ["PUT", "POST"])
    func brokenUpload(method: String) async throws {
        try await TestDevServer.run { server in
            let target = "/\(server.bucket)/k"
            let bytes: String
            if method == "PUT" {
                let headers = server.signed("PUT", target, payloadHash: "UNSIGNED-PAYLOAD")
                    .map { "\($0.name): \($0.value)\r\n" }.joined()
                bytes =
                    "PUT \(target) HTTP/1.1\r\n\(headers)content-length: 1000000\r\n\r\n"
                    + String(repeating: "x", count: 600_000)
            } else {
                let fields = PostPolicy(
                    bucket: server.bucket,
                    key: .exact("k"),
                    contentType: .exact("text/plain"),
                    contentLength: 1...1_000_000,
                    expiration: Date(timeIntervalSinceNow: 60)
                ).fields(credentials: server.credentials, region: server.configuration.region, now: Date())
                var body = ""
                for field in fields + [
                    (name: "Content-Type", value: "text/plain"), (name: "success_action_status", value: "201"),
                ]
                where !body.contains("name=\"\(field.name)\"") {
                    body += "--b\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
                }
                body +=
                    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
                    + String(repeating: "x", count: 600_000)
                bytes =
                    "POST /\(server.bucket) HTTP/1.1\r\nhost: 127.0.0.1:\(server.port)\r\n"
                    + "content-type: multipart/form-data; boundary=b\r\ncontent-length: \(body.utf8.count + 500)\r\n\r\n\(body)"
            }
            // A connection that stays open keeps the unfinished file; that it is gone afterwards proves something only then.
            try await server.hangingUp(after: bytes) { () async throws in
                #expect(try await eventuallyTrue { try temporaryFiles(of: server).count == 1 })
            }
            #expect(try await eventuallyTrue { try temporaryFiles(of: server).isEmpty })
            #expect(try await server.send("GET", target, headers: server.signed("GET", target)).code == "NoSuchKey")
        }
    }

    @Test("Expect: 100-continue is answered before the body comes")
    func expectContinue() async throws {
        try await TestDevServer.run { server in
            let target = "/\(server.bucket)/k"
            let headers = server.signed("PUT", target, payloadHash: "UNSIGNED-PAYLOAD").map { "\($0.name): \($0.value)\r\n" }
                .joined()
            let answer = try await server.exchange(
                "PUT \(target) HTTP/1.1\r\n\(headers)expect: 100-continue\r\ncontent-length: 3\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n"))
        }
    }

    @Test("Hostile keys stay inside the folder and come back byte for byte")
    func hostileKeys() async throws {
        try await TestDevServer.run { server in
            let keys = [
                "..", ".", "../../../../tmp/pwned", "/etc/passwd", "a/../../b", "//", "a//b", "\\..\\x", "%2e%2e%2f", "a\u{1}b",
                "\r\n",
                "-rf", "~", "$(id)", String(repeating: "../", count: 341), String(repeating: "\u{1F600}", count: 256), "lock",
                "tmp", "CON",
            ]
            try await server.withClient { client in
                for key in keys {
                    let target = "/\(server.bucket)/" + URIEncoding.encode(key, keepSlash: true)
                    let headers = server.signed("PUT", target, payloadHash: "UNSIGNED-PAYLOAD")
                    let put = try await server.raw("PUT", target, headers, Array(key.utf8))
                    #expect(put.hasPrefix("HTTP/1.1 200"), "\(key)")
                    let get = try await server.raw("GET", target, server.signed("GET", target), [])
                    #expect(get.hasSuffix(key), "\(key)")
                }
                let listed = try await client.listObjects(bucket: server.bucket)
                let order = keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
                #expect(listed.objects.map { Array($0.key.utf8) } == order.map { Array($0.utf8) })
            }
            let names = FileManager.default.subpaths(atPath: server.directory) ?? []
            #expect(names.count > keys.count)
            for name in names {
                #expect(
                    name.wholeMatch(of: #/lock|tmp|buckets(\/[a-z-]+(\/created|\/objects(\/[0-9a-f]{2}(\/[0-9a-f]{64})?)?)?)?/#)
                        != nil,
                    "\(name)"
                )
            }
            #expect(!FileManager.default.fileExists(atPath: "/tmp/pwned"))
        }
    }

    @Test("A fault can lose the reply of a request that was done")
    func lostReply() async throws {
        try await TestDevServer.run(configure: { configuration in
            configuration.faults = Faults(losesReply: { $0.method == "PUT" && $0.key == "k" })
        }) { server async throws in
            let target = "/\(server.bucket)/k"
            let headers = server.signed("PUT", target, payloadHash: "UNSIGNED-PAYLOAD")
            await #expect(throws: (any Error).self) {
                try await server.send("PUT", target, headers: headers, body: Array("content".utf8))
            }
            #expect(try await server.send("GET", target, headers: server.signed("GET", target)).body == "content")
        }
    }
}
