import HTTPTypes
import Testing

@testable import S3FileService

/// Who may ask what.
@Suite struct KeyUseTests {
    @Test func `without a key, or with a wrong one, nothing of the app's API is answered`() async throws {
        try await ServiceSite.with { _, asker async throws in
            for route in ServiceRoute.allCases where route.needsKey {
                let path = "/" + route.path.replacing(":id", with: "0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60")
                let missing = try await asker.send(route.method, path, route.method == .post ? "{" : nil, key: nil)
                #expect(try missing.status == 401 && missing.code() == "key_required", "\(path)")
                #expect(missing.headers[.wwwAuthenticate] == "Bearer")
                let wrong = try await asker.send(
                    route.method,
                    path,
                    route.method == .post ? "{" : nil,
                    key: ServiceSite.key + "x"
                )
                #expect(try wrong.status == 401 && wrong.code() == "unknown_key", "\(path)")
                #expect(wrong.headers[.contentType] == "application/problem+json" && !wrong.body.contains(ServiceSite.key))
            }
        }
    }

    @Test func `a key in the URL is none`() async throws {
        try await ServiceSite.with { _, asker async throws in
            #expect(try await asker.get("/v1/fields?token=\(ServiceSite.key)", key: nil).status == 401)
        }
    }

    @Test func `a key for one field can neither draw, take nor see another`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let mine = try await asker.form(try await site.posted("report", by: asker), key: ServiceSite.reportKey)
            #expect(mine.status == 200, "\(mine.body)")
            let note = try await site.posted("notes", by: asker, text: "hello", contentType: "text/plain")
            let refused = try await asker.form(note, fields: ["notes"], key: ServiceSite.reportKey)
            #expect(try refused.status == 403 && refused.code() == "field_not_allowed")
            #expect(try await asker.form(note, fields: ["report", "notes"], key: ServiceSite.reportKey).status == 403)
            let drawn = try await asker.post("/v1/inputs", #"{"field": "notes", "subject": null}"#, key: ServiceSite.reportKey)
            #expect(drawn.status == 403)

            let other = try await asker.form(note, fields: ["notes"])
            let (id, own) = (try #require(try other.ids().first), try #require(try mine.ids().first))
            #expect(try await asker.get("/v1/uploads/\(id)", key: ServiceSite.reportKey).status == 404)
            #expect(try await asker.get("/v1/uploads/\(own)", key: ServiceSite.reportKey).status == 200)
            let both = try await asker.get("/v1/uploads?id=\(id)&id=\(own)", key: ServiceSite.reportKey)
            #expect(try both.ids() == [own] && both.unknown() == [id])
            #expect(try await asker.get("/v1/uploads?owner=ada", key: ServiceSite.reportKey).ids() == [own])
            #expect(try await asker.get("/v1/uploads?owner=ada&limit=1", key: ServiceSite.reportKey).ids() == [own])
            for what in ["cancel", "release", "cancel-held", "retry"] {
                let answer = try await asker.post("/v1/uploads/\(what)", #"{"ids": ["\#(id)"]}"#, key: ServiceSite.reportKey)
                #expect(try answer.status == 200 && answer.unknown() == [id] && answer.uploads().isEmpty)
            }
            #expect(try await asker.get("/v1/uploads/\(id)").text("status") == "queued")
            let fields = try await asker.get("/v1/fields", key: ServiceSite.reportKey).value("fields") as? [[String: Any]]
            #expect(fields?.compactMap { $0["name"] as? String } == ["report"])
        }
    }

    @Test func `what browsers need, the document and the health need no key`() async throws {
        try await ServiceSite.with { _, asker async throws in
            for path in ["/s3file/s3file.js", "/s3file/s3file.css", "/v1/openapi.json", "/health/live"] {
                #expect(try await asker.get(path, key: nil).status == 200, "\(path)")
            }
            // There is no database here, and whoever asks is told.
            let ready = try await asker.get("/health/ready", key: nil)
            #expect(ready.status == 503 && ready.body.contains("Postgres has not answered"), "\(ready.body)")
        }
    }
}
