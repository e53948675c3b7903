import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// What a browser does on the example's pages, by HTTP alone: read the form, post bytes to S3, post the form, watch.
struct Visitor: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]
        var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    /// A drawn input: its attributes, unescaped.
    struct Input: Sendable {
        var name: String
        var url: String
        /// The presigned fields, without `data-fields-`.
        var fields: [(name: String, value: String)]
        var ticket: String

        var folder: String {
            let key = self.fields.first { $0.name == "key" }?.value ?? ""
            return String(key.dropLast("/${filename}".count))
        }
    }

    struct File: Sendable {
        var name: String
        var bytes: [UInt8]
        var type = "text/plain"
    }

    /// One that does not follow redirects: where a form leads is part of the answer. It lives as long as the tests.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: .init(redirectConfiguration: .disallow)
    )

    let address: String
    let cookie: String

    /// Opens the page for the first time, which gives the visitor a cookie.
    init(address: String) async throws {
        self.address = address
        let first = try await Self.send("GET", address)
        let cookie = first.headers["set-cookie"].first { $0.hasPrefix("visitor=") } ?? ""
        self.cookie = String(cookie.prefix { $0 != ";" })
    }

    func get(_ path: String) async throws -> Answer {
        try await Self.send("GET", path.hasPrefix("http") ? path : self.address + path, headers: ["Cookie": self.cookie])
    }

    func inputs() async throws -> [String: Input] {
        let page = try await self.get("/").text
        var inputs: [String: Input] = [:]
        for element in page.matches(of: /<input type="file"[^>]*>/) {
            let attributes = element.output.matches(of: /([a-z0-9-]+)="([^"]*)"/).map {
                (String($0.1), Self.unescaped(String($0.2)))
            }
            let value = Dictionary(attributes, uniquingKeysWith: { first, _ in first })
            let name = value["name"] ?? ""
            inputs[name] = Input(
                name: name,
                url: value["data-url"] ?? "",
                fields: attributes.filter { $0.0.hasPrefix("data-fields-") }.map {
                    (String($0.0.dropFirst("data-fields-".count)), $0.1)
                },
                ticket: value["data-s3f-signature"] ?? ""
            )
        }
        return inputs
    }

    /// Posts a file to S3 as the script does, under a key of its own.
    func upload(_ file: File, with input: Input, key: String? = nil, changing changes: [String: String] = [:]) async throws -> (
        key: String, answer: Answer
    ) {
        let key = key ?? "\(input.folder)/\(UUID().uuidString)"
        var fields = input.fields.map { ($0.name, $0.name == "key" ? key : $0.value) }
        fields += [("success_action_status", "201"), ("Content-Type", file.type)]
        let boundary = "journey-\(UUID().uuidString)"
        var body = ByteBuffer()
        for (name, value) in fields {
            body.writeString(
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(changes[name] ?? value)\r\n"
            )
        }
        body.writeString(
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Type: \(file.type)\r\n\r\n"
        )
        body.writeBytes(file.bytes)
        body.writeString("\r\n--\(boundary)--\r\n")
        let answer = try await Self.send(
            "POST",
            input.url,
            headers: ["Content-Type": "multipart/form-data; boundary=\(boundary)", "Origin": self.address],
            body: body
        )
        return (key, answer)
    }

    /// Posts the form with keys in order, as the script does.
    func submit(_ fields: [(String, String)], accept: String = "text/html") async throws -> Answer {
        let body = fields.map { "\(Self.encoded($0.0))=\(Self.encoded($0.1))" }.joined(separator: "&")
        return try await Self.send(
            "POST",
            self.address + "/",
            headers: [
                "Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie, "Accept": accept,
                "Origin": self.address,
            ],
            body: ByteBuffer(string: body)
        )
    }

    func submit(_ input: Input, keys: [(key: String, name: String)], accept: String = "text/html") async throws -> Answer {
        var fields = [("s3file", input.name), ("\(input.name)-s3f-signature", input.ticket)]
        for (key, name) in keys { fields += [(input.name, key), ("\(input.name)-s3f-name", name)] }
        return try await self.submit(fields, accept: accept)
    }

    /// Posts the form as a browser does where the script does not run: its files are in it.
    func submitWithoutScript(_ files: [File], field: String, accept: String = "text/html") async throws -> Answer {
        let boundary = "----journey\(UUID().uuidString)"
        var body = ByteBuffer()
        for file in files {
            body.writeString("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"; filename=\"\(file.name)\"\r\n")
            body.writeString("Content-Type: \(file.type)\r\n\r\n")
            body.writeBytes(file.bytes)
            body.writeString("\r\n")
        }
        body.writeString("--\(boundary)--\r\n")
        return try await Self.send(
            "POST",
            self.address + "/",
            headers: [
                "Content-Type": "multipart/form-data; boundary=\(boundary)", "Cookie": self.cookie, "Accept": accept,
                "Origin": self.address,
            ],
            body: body
        )
    }

    /// The status URLs that a page polls.
    static func statusURLs(in page: String) -> [String] {
        page.matches(of: /<s3file-status src="([^"]*)"/).map { Self.unescaped(String($0.1)) }
    }

    private static func send(
        _ method: String,
        _ url: String,
        headers: [String: String] = [:],
        body: ByteBuffer? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        let response = try await Self.client.execute(request, timeout: .seconds(60))
        let buffer = try await response.body.collect(upTo: 64 << 20)
        return Answer(status: Int(response.status.code), headers: response.headers, body: Array(buffer.readableBytesView))
    }

    private static func unescaped(_ text: String) -> String {
        var text = text
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            text.replace(entity, with: character)
        }
        return text
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
