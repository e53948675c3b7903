import Foundation
import S3File
import S3FileTesting
import Testing

@testable import S3FileService

@Suite struct FormTests {
    @Test func `a form is enqueued at once, and again it is the same upload`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("report", by: asker)
            let first = try await asker.form(form)
            #expect(try first.status == 200 && first.statuses() == ["queued"], "\(first.body)")
            let upload = try #require(try first.uploads().first)
            #expect(upload["owner"] as? String == "ada" && (upload["key"] as? String)?.hasPrefix("reports/") == true)
            #expect(site.test.all.count == 1 && site.test.all.allSatisfy { !site.test.isHeld($0.id) })
            let again = try await asker.form(form)
            #expect(try again.ids() == first.ids() && site.test.all.count == 1)
        }
    }

    @Test func `its names and values may come as pairs, in place of its body`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("report", by: asker, filename: "ü & %41 +.pdf")
            let pairs = form.split(separator: "&").map { pair in
                let parts = pair.split(separator: "=", maxSplits: 1).map {
                    $0.replacing("+", with: " ").removingPercentEncoding ?? ""
                }
                return [parts[0], parts.count > 1 ? parts[1] : ""]
            }
            let json = String(decoding: try JSONSerialization.data(withJSONObject: pairs), as: UTF8.self)
            let answer = try await asker.post(
                "/v1/forms",
                #"{"fields": ["report"], "subject": "ada", "mode": "enqueue", "form": \#(json)}"#
            )
            #expect(
                try answer.status == 200 && answer.uploads().first?["filename"] as? String == "ü & %41 +.pdf",
                "\(answer.body)"
            )
        }
    }

    @Test func `a held form waits for its release, or is given up and can be sent again`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("report", by: asker)
            let held = try await asker.form(form, mode: "hold", more: #", "holdSeconds": 600"#)
            let ids = try held.ids()
            #expect(site.test.all.map(\.id).allSatisfy(site.test.isHeld))
            let body = #"{"ids": ["\#(try #require(ids.first))"]}"#
            #expect(try await asker.post("/v1/uploads/cancel-held", body).statuses() == ["cancelled"])
            #expect(try await asker.post("/v1/uploads/cancel-held", body).statuses() == ["cancelled"])
            let again = try await asker.form(form, mode: "hold")
            #expect(try again.ids() == ids && again.statuses() == ["queued"])
            #expect(try await asker.post("/v1/uploads/release", body).statuses() == ["queued"])
            #expect(!site.test.all.map(\.id).contains(where: site.test.isHeld))
            // What was released stays.
            #expect(try await asker.post("/v1/uploads/cancel-held", body).statuses() == ["queued"])
            #expect(try await asker.post("/v1/uploads/release", body).statuses() == ["queued"])
        }
    }

    @Test func `a verified form leaves no trace, and says all that an enqueue by SQL needs`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("film", by: asker, filename: "a.mp4", text: "film", contentType: "video/mp4")
            let answer = try await asker.form(form, fields: ["film"], mode: "verify")
            #expect(try answer.status == 200 && answer.uploads().isEmpty && site.test.all.isEmpty, "\(answer.body)")
            let arguments = try #require(try answer.value("files", "0", "arguments") as? [String: Any])
            #expect(
                Set(arguments.keys) == [
                    "bucket", "tmp_bucket", "tmp_key", "etag", "version_id", "size", "key", "content_type", "filename", "field",
                    "owner",
                    "upload_id",
                ]
            )
            #expect(
                arguments["owner"] as? String == "ada" && arguments["size"] as? Int == 4
                    && arguments["key"] as? String == "films/a.mp4"
            )
            #expect(arguments["version_id"] is NSNull)
            #expect(try answer.value("files", "0", "storage", "cacheControl") as? String == "private")
        }
    }

    @Test func `a form is good for its subject alone, also when it is replayed`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("report", by: asker)
            for mode in ["verify", "hold", "enqueue"] {
                let eve = try await asker.form(form, subject: "eve", mode: mode)
                #expect(try eve.status == 403 && eve.code() == "invalid_ticket", "\(eve.body)")
            }
            #expect(site.test.all.isEmpty)
            #expect(try await asker.form(form).status == 200)
            #expect(try await asker.form(form, subject: "eve").status == 403)
            let nobody = try await asker.post(
                "/v1/forms",
                #"{"fields": ["report"], "subject": null, "mode": "enqueue", "form": "\#(form)"}"#
            )
            #expect(nobody.status == 403)
            #expect(site.test.all.count == 1)
        }
    }

    @Test func `a form of another field, of none, or without the script is refused as the middleware refuses it`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let note = try await site.posted("notes", by: asker, text: "hello", contentType: "text/plain")
            let other = try await asker.form(note, fields: ["report"])
            #expect(try other.status == 400 && other.code() == "unknown_field", "\(other.body)")
            let required = try await asker.form("title=x", fields: ["film"])
            #expect(try required.status == 422 && required.code() == "required", "\(required.body)")
            #expect(try required.text("instance").hasPrefix("urn:uuid:"))
            let bare = try await asker.form("report=q3.pdf", fields: ["report"])
            #expect(try bare.status == 422 && bare.code() == "script_required", "\(bare.body)")
            let nothing = try await asker.form("title=x", fields: ["report", "notes"])
            #expect(try nothing.status == 200 && nothing.uploads().isEmpty)
            let wrongType = try await asker.form(
                try await site.posted("report", by: asker, filename: "a.txt", text: "hello", contentType: "text/plain")
            )
            #expect(try wrongType.status == 415 && wrongType.code() == "wrong_type")
            #expect(site.test.all.isEmpty)
        }
    }

    @Test(arguments: [
        (#""fields": []"#, "fields (line 1, column 12): it must have 1 to 16 entries, and has 0"),
        (#""fields": ["report", "report"]"#, "it is there twice"),
        (#""fields": "report""#, "fields (line 1, column 12): it must be a list"),
        (#""mode": "now""#, "it must be enqueue, hold, verify"),
        (#""mode": "hold", "holdSeconds": 0"#, "it must be a whole number from 1 to 3600"),
        (#""holdSeconds": 60"#, "it says nothing with the mode enqueue"),
        (#""mode": "verify", "queue": "a""#, "it says nothing with the mode verify"),
        (#""queue": "a b""#, "it cannot be a queue's name"),
        (#""priority": 40000"#, "priority"), (#""maxAttempts": 0"#, "it must be a whole number from 1 to 100"),
        (#""metadata": []"#, "metadata"),
        (#""metadata": {"a": "\#(String(repeating: "x", count: 8_200))"}"#, "it must be an object of at most 8192 bytes"),
        (#""form": {"s3file": "report"}"#, "it must be a text or a list of names and values, and is an object"),
        (#""form": null"#, "and is null"),
        (#""bucket": "other""#, "\"bucket\" is not known"),
    ])
    func `a request that is not as described is refused with a sentence`(_ members: String, _ detail: String) async throws {
        var body = ""
        for (name, usual) in [("fields", #"["report"]"#), ("subject", #""ada""#), ("mode", #""enqueue""#), ("form", #""a=b""#)]
        where !members.contains("\"\(name)\":") {
            body += ", \"\(name)\": \(usual)"
        }
        let request = "{\(members)\(body)}"
        try await ServiceSite.with { site, asker async throws in
            let answer = try await asker.post("/v1/forms", request)
            #expect(answer.status == 422 && answer.body.contains(detail.replacing("\"", with: "\\\"")), "\(answer.body)")
            #expect(site.test.all.isEmpty)
        }
    }

    @Test func `a body or a form that is too large is refused before anything is done with it`() async throws {
        try await ServiceSite.with { _, asker async throws in
            let long = try await asker.form(String(repeating: "x", count: 1_048_576))
            #expect(try long.status == 413 && long.code() == "body_too_large")
            let pairs = "[" + Array(repeating: #"["a", "b"]"#, count: 1_001).joined(separator: ",") + "]"
            let many = try await asker.post(
                "/v1/forms",
                #"{"fields": ["report"], "subject": null, "mode": "verify", "form": \#(pairs)}"#
            )
            #expect(try many.status == 422 && many.text("detail").contains("it may have 1000 names and values, and has 1001"))
            let raw = try await asker.form(Array(repeating: "a=b", count: 1_001).joined(separator: "&"))
            #expect(try raw.status == 413 && raw.code() == "form_too_large", "\(raw.body)")
            let deep = try await asker.post("/v1/forms", String(repeating: "[", count: 500_000))
            #expect(try deep.status == 400 && deep.code() == "malformed_json")
        }
    }
}
