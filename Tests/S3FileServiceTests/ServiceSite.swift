import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import S3File
import S3FileTesting
import TestEnvironment

@testable import S3FileService

/// A service with three fields, and what it stands on in memory.
struct ServiceSite: Sendable {
    /// For all fields.
    static let key = "key-of-the-tests-0123456789abcdefghij"
    /// For the field `report` alone.
    static let reportKey = "key-of-the-reports-0123456789abcdefgh"

    static let fields = [
        UploadField("report", uploadTo: "reports/%Y/", accept: [.pdf], maximumSize: .kilobytes(100)),
        UploadField("notes", uploadTo: "notes/", maximumSize: .kilobytes(1), maximumCount: 3),
        UploadField(
            "film",
            uploadTo: "films/",
            maximumSize: .gigabytes(50),
            required: true,
            storage: StorageSettings(cacheControl: "private"),
            options: [.immediate],
            resumable: .whenNeeded
        ),
    ]

    let test: TestUploads
    var configuration: ServiceConfiguration

    init(configure: (inout ServiceConfiguration) -> Void = { _ in }) throws {
        self.test = try TestUploads()
        self.configuration = try Self.configuration()
        configure(&self.configuration)
    }

    static func configuration() throws -> ServiceConfiguration {
        try ServiceConfiguration(
            address: .host("127.0.0.1", port: 0),
            fields: Self.fields,
            keys: try APIKeys(setting: "\(Self.key),\(Self.reportKey)@report", fields: Self.fields)
        )
    }

    var uploads: Uploads { self.test.uploads }

    func app() -> some ApplicationProtocol {
        Application(router: ServiceRouter(uploads: self.uploads, configuration: self.configuration).router(), logger: .quiet)
    }

    /// Asks the routes, without a socket.
    static func with(
        configure: (inout ServiceConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (ServiceSite, Asker) async throws -> Void
    ) async throws {
        let site = try ServiceSite(configure: configure)
        try await site.app().test(.router) { client async throws in try await body(site, Asker(client: client)) }
    }

    /// Uploads a file for a drawn input, as the page's script does, and returns the form that it would post.
    func posted(
        _ field: String,
        by asker: Asker,
        filename: String = "q3.pdf",
        text: String = "%PDF-1.7 …",
        contentType: String = "application/pdf",
        subject: String = "ada"
    ) async throws -> String {
        let drawn = try await asker.post("/v1/inputs", #"{"field": "\#(field)", "subject": "\#(subject)"}"#)
        var form = TestForm(page: try drawn.text("html"))
        try await self.test.upload(filename, text, contentType: contentType, to: field, of: &form)
        return String(buffer: form.body)
    }
}

/// The app, which asks the service.
struct Asker: Sendable {
    struct Answer: Sendable {
        var status: Int
        var headers: HTTPFields
        var body: String

        func members() throws -> [String: Any] {
            guard let members = try JSONSerialization.jsonObject(with: Data(self.body.utf8)) as? [String: Any] else {
                throw ProgramError(description: "no object: \(self.body)")
            }
            return members
        }

        /// A member, by the names on the way to it.
        func value(_ path: String...) throws -> Any? {
            var value: Any? = try self.members()
            for name in path {
                value = if let index = Int(name) { (value as? [Any])?[index] } else { (value as? [String: Any])?[name] }
            }
            return value
        }

        func text(_ name: String) throws -> String { try self.value(name) as? String ?? "" }

        func uploads() throws -> [[String: Any]] { try self.value("uploads") as? [[String: Any]] ?? [] }
        func statuses() throws -> [String] { try self.uploads().compactMap { $0["status"] as? String } }
        func ids() throws -> [String] { try self.uploads().compactMap { $0["id"] as? String } }
        func unknown() throws -> [String] { try self.value("unknown") as? [String] ?? [] }
        func code() throws -> String { try self.text("code") }
    }

    let client: any TestClientProtocol

    func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: String? = nil,
        key: String? = ServiceSite.key,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        var headers = headers
        if let key, headers[.authorization] == nil { headers[.authorization] = "Bearer \(key)" }
        if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
        let response = try await self.client.execute(
            uri: path,
            method: method,
            headers: headers,
            body: body.map { ByteBuffer(string: $0) }
        )
        return Answer(status: response.status.code, headers: response.headers, body: String(buffer: response.body))
    }

    func get(_ path: String, key: String? = ServiceSite.key) async throws -> Answer { try await self.send(.get, path, key: key) }

    func post(_ path: String, _ body: String, key: String? = ServiceSite.key) async throws -> Answer {
        try await self.send(.post, path, body, key: key)
    }

    /// Posts a form for verification.
    func form(
        _ form: String,
        fields: [String] = ["report"],
        subject: String = "ada",
        mode: String = "enqueue",
        more: String = "",
        key: String = ServiceSite.key
    ) async throws -> Answer {
        try await self.post(
            "/v1/forms",
            Self.formRequest(form, fields: fields, subject: subject, mode: mode, more: more),
            key: key
        )
    }

    static func formRequest(
        _ form: String,
        fields: [String] = ["report"],
        subject: String = "ada",
        mode: String = "enqueue",
        more: String = ""
    ) -> String {
        let names = fields.map { "\"\($0)\"" }.joined(separator: ",")
        return #"{"fields": [\#(names)], "subject": "\#(subject)", "mode": "\#(mode)"\#(more), "form": "\#(form)"}"#
    }
}
