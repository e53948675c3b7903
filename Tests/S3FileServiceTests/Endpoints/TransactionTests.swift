import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Postgres
import S3File
import TestEnvironment
import Testing

@testable import S3FileService

/// What the service verified, enqueued by SQL in a transaction of the app; and what only a real Postgres refuses.
@Suite(.timeLimit(.minutes(2)))
struct TransactionTests {
    private func with(_ body: @escaping @Sendable (RealSite, Asker) async throws -> Void) async throws {
        try await RealSite.with { site in
            let router = ServiceRouter(uploads: site.uploads, configuration: try ServiceSite.configuration()).router()
            var app = Application(router: router, logger: .quiet)
            app.addServices(site.uploads)
            try await app.test(.router) { client async throws in try await body(site, Asker(client: client)) }
        }
    }

    private func form(_ site: RealSite, _ asker: Asker, field: String = "film", text: String = "film") async throws -> String {
        let drawn = try await asker.post("/v1/inputs", #"{"field": "\#(field)", "subject": "ada"}"#)
        let pairs = try await site.posted(drawn, filename: "a.mp4", text: text, contentType: "video/mp4")
        return String(decoding: try JSONSerialization.data(withJSONObject: pairs.map { [$0.0, $0.1] }), as: UTF8.self)
    }

    private func post(_ asker: Asker, _ form: String, mode: String, field: String = "film", more: String = "") async throws
        -> Asker.Answer
    {
        try await asker.post(
            "/v1/forms",
            #"{"fields": ["\#(field)"], "subject": "ada", "mode": "\#(mode)"\#(more), "form": \#(form)}"#
        )
    }

    /// As any app calls it: each argument by its name, as the service named it.
    private func statement(_ arguments: [String: Any]) -> SQL {
        let texts = arguments.sorted { $0.key < $1.key }.map { name, value in
            let text = value is NSNull ? "null" : value is String ? "'\(value)'" : "\(value)"
            return "\(name) => \(text)"
        }
        return SQL(unescaped: "select id::text as id, final_key from s3file.enqueue(\(texts.joined(separator: ", ")))")
    }

    @Test func `its arguments enqueue the file if the transaction commits, and leave nothing if it does not`() async throws {
        try await self.with { site, asker async throws in
            let form = try await self.form(site, asker)
            let verified = try await self.post(asker, form, mode: "verify")
            let arguments = try #require(try verified.value("files", "0", "arguments") as? [String: Any], "\(verified.body)")
            let statement = self.statement(arguments)
            struct Rollback: Error {}
            await #expect(throws: Rollback.self) {
                try await site.database.withTransaction { transaction in
                    _ = try await transaction.query(statement)
                    throw Rollback()
                }
            }
            #expect(try await site.database.query("select 1 from s3file.upload_status").isEmpty)

            let row = try await site.database.withTransaction { try await $0.query(statement) }[0]
            let (id, key) = (try row["id", String.self], try row["final_key", String.self])
            #expect(id == arguments["upload_id"] as? String && key == "films/a.mp4")
            let told = try await asker.get("/v1/uploads/\(id)")
            #expect(try told.text("status") == "queued" && told.text("owner") == "ada" && told.text("key") == key, "\(told.body)")
            // By the API, too, it is the same upload.
            #expect(try await self.post(asker, form, mode: "enqueue").ids() == [id])
        }
    }

    @Test func `a queue that is not there is named, and nothing is enqueued`() async throws {
        try await self.with { site, asker async throws in
            let form = try await self.form(site, asker)
            let answer = try await self.post(asker, form, mode: "enqueue", more: #", "queue": "thumbnails""#)
            #expect(try answer.status == 422 && answer.code() == "unknown_queue", "\(answer.body)")
            #expect(try await site.database.query("select 1 from s3file.upload_status").isEmpty)
        }
    }

    @Test func `metadata, queue, priority and attempts are kept as they were said`() async throws {
        try await self.with { site, asker async throws in
            _ = try await site.database.query("select s3file.set_queue('films')")
            let more =
                #", "metadata": {"n": 12345678901234567890.10, "t": "ü\u20ac"}, "queue": "films", "priority": -5, "maxAttempts": 3"#
            let answer = try await self.post(asker, try await self.form(site, asker), mode: "hold", more: more)
            #expect(answer.status == 200, "\(answer.body)")
            let row = try await site.database.query(
                """
                select metadata->>'n' as n, metadata->>'t' as t, queue, priority, max_attempts,
                       (next_attempt_at > now() + interval '50 s')::text as held, storage->>'cacheControl' as cache from s3file.upload_status
                """
            )[0]
            #expect(try row["n", String.self] == "12345678901234567890.10" && row["t", String.self] == "ü€")
            #expect(
                try row["queue", String.self] == "films" && row["priority", Int16.self] == -5
                    && row["max_attempts", Int16.self] == 3
            )
            #expect(try row["held", String.self] == "true" && row["cache", String.self] == "private")
        }
    }

    @Test func `metadata that only Postgres finds too long are refused in a sentence`() async throws {
        try await self.with { site, asker async throws in
            let ones = Array(repeating: "1", count: 4_000).joined(separator: ",")
            for metadata in [
                "{\"a\": [\(ones)]}", #"{"a": [1e300, \#(Array(repeating: "1e300", count: 40).joined(separator: ","))]}"#,
            ] {
                let answer = try await self.post(
                    asker,
                    try await self.form(site, asker),
                    mode: "enqueue",
                    more: ", \"metadata\": \(metadata)"
                )
                #expect(try answer.status == 422 && answer.code() == "invalid_metadata", "\(answer.body)")
            }
            #expect(try await site.database.query("select 1 from s3file.upload_status").isEmpty)
            let most = #", "metadata": {"a": "\#(String(repeating: "x", count: 8_180))"}"#
            #expect(try await self.post(asker, try await self.form(site, asker), mode: "enqueue", more: most).status == 200)
        }
    }

    @Test func `a key for some fields lists as many of them as are asked for, past all others`() async throws {
        try await self.with { site, asker async throws in
            let mine = try await site.enqueue(owner: "ada", field: "report")
            for _ in 0..<3 { try await site.enqueue(owner: "ada", field: "film") }
            let answer = try await asker.get("/v1/uploads?owner=ada&limit=2", key: ServiceSite.reportKey)
            #expect(try answer.ids() == [mine.id.uuidString.lowercased()], "\(answer.body)")
        }
    }

    @Test func `without a database it is not ready, and says that it can be asked again`() async throws {
        let configuration = try S3FileConfiguration(
            databaseURL: "postgresql://127.0.0.1:1/none",
            bucket: "media",
            credentials: .keys(accessKeyID: "x", secretAccessKey: "x"),
            secrets: ["a secret that is long enough for a test"]
        )
        let uploads = try Uploads(configuration: configuration, logger: .quiet)
        let router = ServiceRouter(
            uploads: uploads,
            configuration: try ServiceConfiguration(
                address: .host("127.0.0.1", port: 0),
                fields: ServiceSite.fields,
                keys: try APIKeys(setting: ServiceSite.key, fields: ServiceSite.fields),
                answerTimeout: .seconds(2)
            )
        ).router()
        try await Application(router: router, logger: .quiet).test(.router) { client async throws in
            let asker = Asker(client: client)
            #expect(try await asker.get("/health/ready", key: nil).status == 503)
            #expect(try await asker.get("/health/live", key: nil).status == 200)
            let answer = try await asker.get("/v1/uploads?owner=ada")
            #expect(answer.status == 503 && answer.headers[.retryAfter] != nil, "\(answer.body)")
        }
    }
}
