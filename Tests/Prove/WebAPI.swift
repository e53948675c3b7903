import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The two that a client talks to: the app's own API of the web process, and the presigned form of the store.
struct WebAPI: Sendable {
    /// Nobody answered, or nobody who knew: what was asked may have been done.
    struct Unknown: Error {
        var what: String
    }

    /// An answer that is final: nothing was done.
    struct Refused: Error {
        var code: String
    }

    /// A drawn input.
    struct Input: Sendable {
        var url: String
        var fields: [(name: String, value: String)]
        var ticket: String
        var folder: String
    }

    struct Enqueued: Sendable {
        var id: String
        var key: String
        var status: String
    }

    let http: HTTPClient
    let address: String

    // MARK: The app's API

    func input(subject: String) async throws -> Input {
        let answer = try await self.post("/v1/inputs", ["field": World.field, "subject": subject])
        guard
            let fields = answer["fields"] as? [String: String], let url = answer["url"] as? String,
            let ticket = answer["ticket"] as? String, let key = fields["key"], key.hasSuffix("/${filename}")
        else { throw Unknown(what: "an input without a form") }
        return Input(
            url: url,
            fields: fields.filter { $0.key != "key" }.map { ($0.key, $0.value) },
            ticket: ticket,
            folder: String(key.dropLast("/${filename}".count))
        )
    }

    func enqueue(_ form: [[String]], subject: String, hold: Int? = nil) async throws -> [Enqueued] {
        var body: [String: Any] = [
            "fields": [World.field], "subject": subject, "form": form, "mode": hold == nil ? "enqueue" : "hold",
        ]
        if let hold { body["holdSeconds"] = hold }
        return Self.uploads(try await self.post("/v1/forms", body))
    }

    /// The arguments of `s3file.enqueue` for a form that was verified.
    func verify(_ form: [[String]], subject: String) async throws -> [String: String?] {
        let answer = try await self.post(
            "/v1/forms",
            ["fields": [World.field], "subject": subject, "form": form, "mode": "verify"]
        )
        guard let file = (answer["files"] as? [[String: Any]])?.first, let arguments = file["arguments"] as? [String: Any] else {
            throw Unknown(what: "a verified form without a file")
        }
        return arguments.mapValues { $0 is NSNull ? nil : "\($0)" }
    }

    /// `release`, `cancel` or `retry`.
    func change(_ what: String, _ id: String) async throws -> [Enqueued] {
        Self.uploads(try await self.post("/v1/uploads/\(what)", ["ids": [id]]))
    }

    private static func uploads(_ answer: [String: Any]) -> [Enqueued] {
        (answer["uploads"] as? [[String: Any]] ?? []).compactMap { upload in
            guard let id = upload["id"] as? String, let status = upload["status"] as? String else { return nil }
            return Enqueued(id: id, key: upload["key"] as? String ?? "", status: status)
        }
    }

    private func post(_ path: String, _ body: [String: Any]) async throws -> [String: Any] {
        var request = HTTPClientRequest(url: self.address + path)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer \(World.apiKey)")
        request.body = .bytes(ByteBuffer(data: try JSONSerialization.data(withJSONObject: body)))
        let (status, answer) = try await self.send(request)
        let members = (try? JSONSerialization.jsonObject(with: Data(answer.readableBytesView))) as? [String: Any] ?? [:]
        switch status {
        case 200..<300: return members
        case 429, 500...: throw Unknown(what: "\(path): \(status)")
        default: throw Refused(code: members["code"] as? String ?? "\(status)")
        }
    }

    // MARK: The store

    /// Posts a file as a browser does.
    ///
    /// - Throws: ``Unknown`` when it may lie there or not.
    func postFile(_ input: Input, key: String, bytes: [UInt8], contentType: String) async throws {
        let boundary = "----prove\(UInt64.random(in: 0 ... .max))"
        var body = ByteBuffer()
        let own: [(name: String, value: String)] = [
            ("success_action_status", "201"), ("key", key), ("Content-Type", contentType),
        ]
        for field in input.fields.filter({ $0.name != "success_action_status" && $0.name != "Content-Type" }) + own {
            body.writeString(
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
            )
        }
        body.writeString("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n")
        body.writeString("Content-Type: \(contentType)\r\n\r\n")
        body.writeBytes(bytes)
        body.writeString("\r\n--\(boundary)--\r\n")
        var request = HTTPClientRequest(url: input.url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "multipart/form-data; boundary=\(boundary)")
        request.body = .bytes(body)
        let (status, answer) = try await self.send(request)
        guard (200..<300).contains(status), !String(buffer: answer).contains("<Error>") else {
            throw Unknown(what: "the form of the store: \(status) \(String(buffer: answer).suffix(300))")
        }
    }

    private func send(_ request: HTTPClientRequest) async throws -> (status: Int, body: ByteBuffer) {
        do {
            let response = try await self.http.execute(request, timeout: .seconds(20))
            return (Int(response.status.code), try await response.body.collect(upTo: 1 << 20))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Unknown(what: "\(error)")
        }
    }
}
