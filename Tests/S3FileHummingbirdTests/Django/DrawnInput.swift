import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import S3File
import TestEnvironment

extension DjangoSite {
    /// On the store of a site.
    static func with<R: Sendable>(_ site: TestSite, _ body: @Sendable (DjangoSite) async throws -> R) async throws -> R {
        try await Self.with(
            endpoint: site.uploads.configuration.endpointURL ?? "",
            bucket: TestSite.bucket,
            credentials: S3Credentials(accessKeyID: "s3file-dev", secretAccessKey: "s3file-dev-secret-key"),
            body
        )
    }

    /// The input of its page.
    func input() async throws -> DrawnInput {
        let answer = try await Self.send(HTTPClientRequest(url: self.address + "/"))
        return try DrawnInput(html: answer.text)
    }

    /// Posts a form to it.
    func post(_ fields: [(String, String)]) async throws -> (status: Int, text: String) {
        var request = HTTPClientRequest(url: self.address + "/")
        request.method = .POST
        request.headers = ["Content-Type": "application/x-www-form-urlencoded"]
        request.body = .bytes(ByteBuffer(string: encodeForm(fields)))
        return try await Self.send(request)
    }

    static func send(_ request: HTTPClientRequest) async throws -> (status: Int, text: String) {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (Int(response.status.code), String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }
}

/// An `<input>` as either side drew it, and what a script does with it.
struct DrawnInput: Sendable {
    let name: String
    let url: String
    let fields: [(name: String, value: String)]
    let signature: String

    struct Malformed: Error {
        var html: String
    }

    init(html: String) throws {
        guard let element = html.firstMatch(of: /<input type="file"[^>]*>/) else { throw Malformed(html: html) }
        let attributes = element.output.matches(of: /([a-z0-9-]+)="([^"]*)"/).map { match in
            let text = String(match.output.2).replacing("&quot;", with: "\"").replacing("&#x27;", with: "'")
            return (name: String(match.output.1), value: text.replacing("&amp;", with: "&"))
        }
        func value(_ name: String) -> String { attributes.first { $0.name == name }?.value ?? "" }
        self.name = value("name")
        self.url = value("data-url")
        self.signature = value("data-s3f-signature")
        self.fields = attributes.filter { $0.name.hasPrefix("data-fields-") }.map {
            (String($0.name.dropFirst("data-fields-".count)), $0.value)
        }
    }

    /// Posts a file to S3. Our script replaces the template's `${filename}` by a name that nobody can guess; django-s3file's leaves it.
    ///
    /// - Returns: the key that S3 told.
    func upload(_ text: String, filename: String, replacing: String?) async throws -> String {
        let boundary = "boundary-\(UUID().uuidString)"
        var body = ""
        let template = "${filename}"
        let fields =
            self.fields.map { ($0.name, $0.name == "key" ? $0.value.replacing(template, with: replacing ?? template) : $0.value) }
            + [("success_action_status", "201"), ("Content-Type", "text/plain")]
        for (name, value) in fields {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(filename)\"\r\n"
        body += "Content-Type: text/plain\r\n\r\n\(text)\r\n--\(boundary)--\r\n"
        var request = HTTPClientRequest(url: self.url)
        request.method = .POST
        request.headers = ["Content-Type": "multipart/form-data; boundary=\(boundary)"]
        request.body = .bytes(ByteBuffer(string: body))
        let answer = try await DjangoSite.send(request)
        guard answer.status == 201, let key = answer.text.firstMatch(of: /<Key>([^<]*)<\/Key>/) else {
            throw Malformed(html: "\(answer)")
        }
        return String(key.output.1)
    }

    /// The form as our script posts it; django-s3file's names no file beside its key.
    func post(_ key: String, filename: String?) -> [(String, String)] {
        [("s3file", self.name), ("\(self.name)-s3f-signature", self.signature), (self.name, key)]
            + (filename.map { [("\(self.name)-s3f-name", $0)] } ?? [])
    }
}
