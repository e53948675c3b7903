import Foundation
import S3
import S3DevServer
import TestEnvironment
import Testing

@Suite("Bad input")
struct BadInputTests {
    private func form(_ server: TestDevServer, key: String = "k", file: String = "content") -> String {
        let policy = PostPolicy(
            bucket: server.bucket,
            key: .exact(key),
            contentType: .exact("text/plain"),
            contentLength: 1...1000,
            expiration: Date(timeIntervalSinceNow: 600)
        )
        var fields = policy.fields(credentials: server.credentials, region: server.configuration.region, now: Date())
        fields += [("Content-Type", "text/plain"), ("success_action_status", "201")]
        var body = ""
        for field in fields {
            body += "--b\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
        }
        return body + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\(file)\r\n--b--\r\n"
    }

    private func post(_ server: TestDevServer, _ body: some Sequence<UInt8>) async throws -> TestDevServer.Answer {
        try await server.send(
            "POST",
            "/\(server.bucket)",
            headers: [("content-type", "multipart/form-data; boundary=b")],
            body: Array(body)
        )
    }

    private func isStored(_ server: TestDevServer) async throws -> Bool {
        try await server.send("HEAD", "/\(server.bucket)/k", headers: server.signed("HEAD", "/\(server.bucket)/k")).status == 200
    }

    @Test("A form cut at any of its bytes is refused and leaves nothing")
    func cutForms() async throws {
        try await TestDevServer.run { server async throws in
            let body = Array(self.form(server).utf8)
            // The line end behind the closing delimiter says nothing.
            for length in 0..<(body.count - 2) {
                let answer = try await self.post(server, body[..<length])
                try #require(answer.status == 400, "cut at \(length): \(answer.body)")
                try #require(
                    ["IncompleteBody", "MalformedPOSTRequest"].contains(answer.code ?? ""),
                    "cut at \(length): \(answer.body)"
                )
            }
            #expect(try await self.isStored(server) == false)
            #expect(try temporaryFiles(of: server).isEmpty)
            #expect(try await self.post(server, body).status == 201)
            #expect(try await self.isStored(server))
        }
    }

    @Test("A form with one byte changed is stored as it says, or refused, and never harms the server")
    func changedForms() async throws {
        try await TestDevServer.run { server async throws in
            let body = Array(self.form(server).utf8)
            for round in 0..<600 {
                var changed = body
                changed[Int.random(in: 0..<body.count)] = UInt8.random(in: .min ... .max)
                let answer = try await self.post(server, changed)
                try #require(
                    [201, 204, 400, 403, 412, 501].contains(answer.status),
                    "round \(round): \(answer.status) \(answer.body)"
                )
            }
            #expect(try temporaryFiles(of: server).isEmpty)
            let listed = try await server.send(
                "GET",
                "/\(server.bucket)",
                headers: server.signed("GET", "/\(server.bucket)")
            )
            // The key is what the policy says, whatever else was changed.
            #expect(listed.body.matches(of: #/<Key>/#).count <= 1)
        }
    }

    private static let hostileDocuments: [String] = [
        "", "x", "<", "<Delete>", "<Delete/>", "<Delete></Delet>", "</Delete>", "<Delete><Object/></Delete>",
        "<Delete><Object><Key>a</Key></Object>", "<Other><Object><Key>a</Key></Object></Other>",
        "<!DOCTYPE Delete [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Delete><Object><Key>&b;</Key></Object></Delete>",
        "<!DOCTYPE Delete SYSTEM \"file:///etc/passwd\"><Delete><Object><Key>a</Key></Object></Delete>",
        "<Delete><Object><Key>&unknown;</Key></Object></Delete>", "<Delete><Object><Key>&#x0;</Key></Object></Delete>",
        "<Delete><Object><Key>a</Key></Object></Delete><Delete/>", "<Delete a=1><Object><Key>a</Key></Object></Delete>",
        "<Delete>\u{0}</Delete>", String(repeating: "<a>", count: 100_000),
        "<Delete>" + String(repeating: "<Object><Key>a</Key></Object>", count: 1001) + "</Delete>",
    ]

    @Test("XML that is hostile, broken or too long is MalformedXML, for deletions and completions alike")
    func hostileXML() async throws {
        try await TestDevServer.run { server async throws in
            func send(_ path: String, _ query: [(name: String, value: String)], _ body: [UInt8]) async throws
                -> TestDevServer.Answer
            {
                let md5: [(name: String, value: String)] = [("content-md5", contentMD5(body))]
                let headers = server.signed(
                    "POST",
                    path,
                    query: query,
                    headers: md5,
                    payloadHash: SigV4.payloadHash(body)
                )
                return try await server.send("POST", path + "?" + URIEncoding.query(query), headers: headers, body: body)
            }
            let key = "/\(server.bucket)/k"
            let created = try await send(key, [("uploads", "")], [])
            let id = String(try #require(created.body.firstMatch(of: #/<UploadId>(.*?)</#)).1)
            for document in Self.hostileDocuments {
                let deletion = try await send("/\(server.bucket)", [("delete", "")], Array(document.utf8))
                #expect(
                    deletion.code == "MalformedXML",
                    "\(document.prefix(80)): \(deletion.status) \(deletion.body.prefix(200))"
                )
                let completion = try await send(
                    key,
                    [("uploadId", id)],
                    Array(document.replacing("Delete", with: "CompleteMultipartUpload").utf8)
                )
                #expect(completion.code == "MalformedXML", "\(document.prefix(80)): \(completion.body.prefix(200))")
            }
            let invalid = try await send("/\(server.bucket)", [("delete", "")], [0x3C, 0xFF, 0xFE, 0x3E])
            #expect(invalid.code == "MalformedXML")
            let long = Array(String(repeating: " ", count: 3_000_000).utf8)
            #expect(try await send("/\(server.bucket)", [("delete", "")], long).code == "MaxMessageLengthExceeded")
            for (part, code) in [
                ("<PartNumber>0</PartNumber><ETag>a</ETag>", "InvalidArgument"),
                ("<PartNumber>99999999999999999999</PartNumber><ETag>a</ETag>", "MalformedXML"),
                ("<PartNumber>-1</PartNumber><ETag>a</ETag>", "InvalidArgument"), ("<PartNumber>1</PartNumber>", "MalformedXML"),
                ("<PartNumber>1</PartNumber><ETag>../../k</ETag>", "InvalidPart"),
            ] {
                let document = "<CompleteMultipartUpload><Part>\(part)</Part></CompleteMultipartUpload>"
                #expect(try await send(key, [("uploadId", id)], Array(document.utf8)).code == code, "\(part)")
            }
            let keys =
                "<Delete><Object><Key>\(String(repeating: "k", count: 1025))</Key></Object><Object><Key></Key></Object></Delete>"
            let each = try await send("/\(server.bucket)", [("delete", "")], Array(keys.utf8))
            #expect(each.status == 200)
            #expect(each.body.matches(of: #/<Error>/#).count == 2)
        }
    }

    @Test("Headers and parameters that make no sense are refused by name")
    func absurdHeaders() async throws {
        try await TestDevServer.run { server async throws in
            let target = "/\(server.bucket)/k"
            #expect(try await self.post(server, self.form(server).utf8).status == 201)
            func put(_ headers: [(name: String, value: String)]) async throws -> String? {
                let signed = server.signed("PUT", target, headers: headers, payloadHash: "UNSIGNED-PAYLOAD")
                return try await server.send("PUT", target, headers: signed, body: Array("x".utf8)).code
            }
            for (name, value, code) in [
                ("x-amz-copy-source", "", "InvalidArgument"), ("x-amz-copy-source", "/", "InvalidArgument"),
                ("x-amz-copy-source", "\(server.bucket)", "InvalidArgument"),
                ("x-amz-copy-source", "\(server.bucket)/%zz", "InvalidArgument"),
                ("x-amz-copy-source", "\(server.bucket)/%ff", "InvalidURI"),
                ("x-amz-copy-source", "\(server.bucket)/k?versionId=..", "InvalidArgument"),
                ("x-amz-copy-source", "\(server.bucket)/k?x=1", "InvalidArgument"),
                ("x-amz-copy-source", "no-such/k", "NoSuchBucket"),
                ("x-amz-copy-source", "../../etc/passwd", "NoSuchBucket"),
                ("x-amz-tagging", "%zz", "InvalidArgument"), ("x-amz-tagging", "=v", "InvalidTag"),
                ("x-amz-storage-class", "", "InvalidStorageClass"), ("x-amz-server-side-encryption", "", "InvalidArgument"),
                ("x-amz-checksum-sha256", "AAAA", "InvalidRequest"), ("x-amz-sdk-checksum-algorithm", "CRC32", "InvalidRequest"),
                ("x-amz-trailer", "x-amz-checksum-crc32", "InvalidRequest"), ("if-none-match", "\"a\"", "NotImplemented"),
                ("x-amz-meta-a", String(repeating: "x", count: 2048), "MetadataTooLarge"),
                ("x-amz-object-lock-mode", "GOVERNANCE", "InvalidRequest"),
            ] {
                #expect(try await put([(name, value)]) == code, "\(name): \(value.prefix(40))")
            }
            func get(_ query: [(name: String, value: String)], _ headers: [(name: String, value: String)] = []) async throws
                -> TestDevServer.Answer
            {
                let signed = server.signed("GET", target, query: query, headers: headers)
                return try await server.send("GET", target + "?" + URIEncoding.query(query), headers: signed)
            }
            for (name, value, code) in [
                ("versionId", "", "InvalidArgument"), ("versionId", "../../k", "InvalidArgument"),
                ("partNumber", "0", "InvalidArgument"),
                ("partNumber", "x", "InvalidArgument"), ("partNumber", "2", "InvalidPartNumber"),
                ("uploadId", "../..", "NoSuchUpload"),
            ] {
                #expect(try await get([(name, value)]).code == code, "\(name)=\(value)")
            }
            // What is no range is not one: the whole object.
            for range in ["bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "bytes=--1", "bytes=+0-1"]
            {
                let answer = try await get([], [("range", range)])
                #expect(answer.status == 200 && answer.body == "content", "\(range)")
            }
            #expect(try await get([], [("range", "bytes=0-99999999999999999999")]).status == 200)
            #expect(try await get([], [("range", "bytes=7-")]).code == "InvalidRange")
            #expect(try await get([], [("range", "bytes=-0")]).code == "InvalidRange")
        }
    }

    @Test(
        "Chunked bodies that lie about their lengths are refused",
        arguments: [
            ("7\r\ncontent\r\n0\r\n\r\n", 8), ("7\r\ncontent\r\n0\r\n\r\n", 6), ("8\r\ncontent\r\n0\r\n\r\n", 7),
            ("6\r\ncontent\r\n0\r\n\r\n", 7), ("7\r\ncontent\r\n", 7), ("7\r\ncontent\r\n0\r\n", 7),
            ("-7\r\ncontent\r\n0\r\n\r\n", 7),
            ("0x7\r\ncontent\r\n0\r\n\r\n", 7), ("ffffffffffffffff\r\ncontent\r\n0\r\n\r\n", 7), ("7\ncontent\n0\n\n", 7),
            ("7;\r\ncontent\r\n0\r\n\r\nmore", 7), (" 7\r\ncontent\r\n0\r\n\r\n", 7), ("\r\n\r\n", 7), ("", 7),
            ("7\r\ncontent\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 7),
            ("7\r\ncontent\r\n0\r\nno colon\r\n\r\n", 7),
        ]
    )
    func lyingChunks(body: String, length: Int) async throws {
        try await TestDevServer.run { server async throws in
            let target = "/\(server.bucket)/k"
            let headers = server.signed(
                "PUT",
                target,
                headers: [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", String(length))],
                payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            )
            let answer = try await server.send("PUT", target, headers: headers, body: Array(body.utf8))
            #expect(answer.status == 400, "\(answer.body)")
            #expect(try await self.isStored(server) == false)
            #expect(try temporaryFiles(of: server).isEmpty)
        }
    }

    /// What the server says within two seconds: to what is no request yet it says nothing, and waits for the rest.
    private func answer(of server: TestDevServer, to text: String) async throws -> String {
        try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { (try? await server.exchange(text)) ?? "" }
            group.addTask {
                try? await Task.sleep(for: .seconds(2))
                return ""
            }
            defer { group.cancelAll() }
            return try await group.next() ?? ""
        }
    }

    @Test("Requests that are no HTTP, or too much of it, end their connection and nothing else")
    func notHTTP() async throws {
        try await TestDevServer.run { server async throws in
            let host = "host: 127.0.0.1:\(server.port)\r\n"
            for text in [
                "\r\n\r\n", "nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
                "GET / HTTP/1.1\r\n\(host)x: \(String(repeating: "y", count: 200_000))\r\n\r\n",
                "PUT /\(server.bucket)/k HTTP/1.1\r\n\(host)content-length: -1\r\n\r\n",
                "PUT /\(server.bucket)/k HTTP/1.1\r\n\(host)content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
                "PUT /\(server.bucket)/k HTTP/1.1\r\n\(host)content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "PUT /\(server.bucket)/k HTTP/1.1\r\n\(host)content-length: 99999999999999999999\r\n\r\n",
            ] {
                let answer = try await self.answer(of: server, to: text)
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(text.prefix(60)): \(answer)")
            }
            #expect(try await self.isStored(server) == false)
            #expect(try await self.post(server, self.form(server).utf8).status == 201)
        }
    }
}
