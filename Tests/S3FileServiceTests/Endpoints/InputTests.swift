import Foundation
import HTTPTypes
import NIOCore
import S3File
import S3FileTesting
import Testing

@testable import S3FileService

@Suite struct InputTests {
    @Test func `an input comes ready for the page, and as its parts`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let drawn = try await asker.post(
                "/v1/inputs",
                #"{"field": "film", "subject": "ada", "attributes": {"id": "film", "class": "wide", "data-url": "evil", "aria-label": "a\"b"}}"#
            )
            #expect(drawn.status == 200 && drawn.headers[.cacheControl] == "no-store", "\(drawn.body)")
            let html = try drawn.text("html")
            #expect(
                html.hasPrefix(#"<input type="file" name="film" class="wide s3file" required data-url="http://s3.test/test""#),
                "\(html)"
            )
            #expect(html.contains(#" aria-label="a&quot;b""#) && html.contains(#" id="film""#) && !html.contains("evil"))
            #expect(try drawn.text("elementHtml") == html && drawn.text("keptHtml").isEmpty)
            let ticket = try drawn.text("ticket")
            #expect(
                try html.contains("data-s3f-signature=\"\(ticket)\"")
                    && (drawn.value("attributes", "data-s3f-signature") as? String) == ticket
            )
            #expect(try drawn.value("attributes", "required") as? String == "")
            #expect(try drawn.value("attributes", "data-s3f-multipart") as? String == "/s3file/multipart")
            let key = try drawn.value("fields", "key") as? String
            #expect(key?.hasPrefix("tmp/s3file/") == true && key?.hasSuffix("/${filename}") == true)
            #expect(try drawn.text("url") == "http://s3.test/test" && drawn.text("uploadOrigin") == "http://s3.test")
            #expect(try drawn.text("script") == "/s3file/s3file.js" && drawn.text("stylesheet") == "/s3file/s3file.css")
            #expect(try ISO8601DateFormatter().date(from: drawn.text("expiresAt")).map { $0 > Date() } == true)
        }
    }

    @Test func `what the app refused for another reason is kept, for its subject and field`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let form = try await site.posted("report", by: asker, filename: "Q3 & Q4.pdf")
            // Of a form with several fields only this one is looked at.
            let posted = "title=&s3file=notes&notes-s3f-signature=x&" + form
            let again = try await asker.post("/v1/inputs", #"{"field": "report", "subject": "ada", "form": "\#(posted)"}"#)
            #expect(again.status == 200, "\(again.body)")
            #expect(try again.value("kept", "0", "filename") as? String == "Q3 & Q4.pdf")
            #expect(
                try again.text("keptHtml").contains("Q3 &amp; Q4.pdf") && again.text("html").hasSuffix(again.text("keptHtml"))
            )
            let kept = TestForm(page: try again.text("html"))
            let taken = try await asker.form(String(buffer: kept.body))
            #expect(try taken.status == 200 && taken.uploads().first?["filename"] as? String == "Q3 & Q4.pdf", "\(taken.body)")
            // Somebody else's form keeps nothing, and says why.
            let eve = try await asker.post("/v1/inputs", #"{"field": "report", "subject": "eve", "form": "\#(posted)"}"#)
            #expect(try eve.status == 403 && eve.code() == "invalid_ticket")
        }
    }

    @Test(arguments: [
        (#"{"subject": null}"#, 422, "field (line 1, column 1): it is missing."),
        (#"{"field": "report"}"#, 422, "subject (line 1, column 1): it is missing"),
        (#"{"field": "report", "subject": ""}"#, 422, "subject (line 1, column 32): it must have 1 to 255 bytes, and has 0."),
        (#"{"field": "report", "subject": "a\u0007"}"#, 422, "it may have no control characters"),
        (#"{"field": "report", "subject": 7}"#, 422, "it must be a text, and is a number"),
        (#"{"field": "avatar", "subject": null}"#, 400, "There is no field \"avatar\""),
        (#"{"field": "report", "subject": null, "owner": "x"}"#, 422, "\"owner\" is not known; it may have field, subject"),
        (#"{"field": "report", "subject": null, "attributes": {"a b": "c"}}"#, 422, "\"a b\" cannot be an attribute's name"),
        (
            #"{"field": "report", "subject": null, "attributes": {"id": 1}}"#, 422,
            "attributes.id (line 1, column 59): it must be a text"
        ),
        (#"{"field": "report", "subject": null, "form": 1}"#, 422, "form (line 1, column 46): it must be a text or a list"),
        (
            #"{"field": "report", "subject": null, "form": [["a"]]}"#, 422,
            "form[0] (line 1, column 47): it must be a name and a value"
        ),
        (#"{"field": "report", "subject": null, "form": "a=%zz"}"#, 400, "The form has a percent sign"),
        (#"{"field": "report", "subject": null"#, 400, "At line 1, column 36: a comma or } is expected here."),
        ("", 400, "the text ends"),
        ("[]", 422, "it must be an object, and is a list"),
    ])
    func `a request that is not as described is refused with a sentence`(_ body: String, _ status: Int, _ detail: String)
        async throws
    {
        try await ServiceSite.with { _, asker async throws in
            let answer = try await asker.post("/v1/inputs", body)
            #expect(answer.status == status && answer.headers[.contentType] == "application/problem+json", "\(answer.body)")
            #expect(try answer.text("detail").contains(detail) && answer.text("detail").hasSuffix("."), "\(answer.body)")
        }
    }

    @Test func `all that is wrong with a request is told at once`() async throws {
        try await ServiceSite.with { _, asker async throws in
            let answer = try await asker.post("/v1/inputs", #"{"field": 1, "subject": 2, "colour": "red"}"#)
            let errors = try #require(try answer.value("errors") as? [[String: Any]])
            #expect(errors.count == 3 && errors.compactMap { $0["field"] as? String } == ["field", "subject"], "\(answer.body)")
        }
    }

    @Test func `a body that is not JSON by its type is refused`() async throws {
        try await ServiceSite.with { _, asker async throws in
            for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                let answer = try await asker.send(
                    .post,
                    "/v1/inputs",
                    #"{"field": "report", "subject": null}"#,
                    headers: [.contentType: type]
                )
                #expect(try answer.status == 415 && answer.code() == "unsupported_media_type", "\(type)")
            }
            let charset = try await asker.send(
                .post,
                "/v1/inputs",
                #"{"field": "report", "subject": null}"#,
                headers: [.contentType: "Application/JSON; charset=utf-8"]
            )
            #expect(charset.status == 200)
        }
    }
}
