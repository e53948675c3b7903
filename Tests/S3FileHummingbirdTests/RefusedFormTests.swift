import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
@testable import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("The middleware, when it refuses a form")
struct RefusedFormTests {
    /// Posts a form, and expects a 4xx with a sentence, no call of the handler and no trace in the database.
    func expectRefusal(
        _ site: TestSite,
        _ fields: [(String, String)],
        status: Int,
        code: String,
        headers: HTTPFields = [:],
        limits: FormBody.Limits = .init(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await site.app(
            limits: limits,
            handler: { _, _ in
                Issue.record("the handler ran", sourceLocation: sourceLocation)
                return Response(status: .ok)
            }
        ).test(.router) { client async throws in
            let response = try await client.post(fields, headers: headers)
            let problem = try response.problem()
            #expect(response.status.code == status, "\(problem)", sourceLocation: sourceLocation)
            #expect(response.headers[.contentType] == "application/problem+json", sourceLocation: sourceLocation)
            #expect(problem["code"] == code, sourceLocation: sourceLocation)
            #expect(problem["status"] == "\(status)", sourceLocation: sourceLocation)
            #expect((problem["detail"] ?? "").hasSuffix("."), sourceLocation: sourceLocation)
            #expect(try await site.rows().isEmpty, sourceLocation: sourceLocation)
        }
    }

    @Test("a missing, forged, foreign or expired ticket")
    func tickets() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            var forged = drawn
            forged.ticket = String(drawn.ticket.dropLast(4)) + (drawn.ticket.hasSuffix("AAAA") ? "BBBB" : "AAAA")
            try await self.expectRefusal(site, forged.post([file]), status: 403, code: "invalid_ticket")

            let withoutTicket = drawn.post([file]).filter { $0.0 != "documents-s3f-signature" }
            try await self.expectRefusal(site, withoutTicket, status: 403, code: "invalid_key")

            var otherField = try await site.draw(TestSite.avatar)
            otherField.field = "documents"
            try await self.expectRefusal(site, otherField.post([file]), status: 403, code: "invalid_ticket")

            try await self.expectRefusal(
                site,
                drawn.post([file]),
                status: 403,
                code: "invalid_ticket",
                headers: [TestSite.user: "eve"]
            )

            let hourAgo = Date(timeIntervalSinceNow: -3_600)
            var expired = drawn
            expired.ticket = try Ticket(
                folder: drawn.folder,
                field: "documents",
                uploadTo: TestSite.documents.uploadTo.ticketRule,
                accept: [],
                maximumSize: TestSite.documents.maximumSize.bytes,
                maximumCount: TestSite.documents.maximumCount,
                subject: Ticket.digest(ofSubject: "ada"),
                issuedAt: hourAgo,
                expiresAt: hourAgo.addingTimeInterval(60)
            ).signed(with: SigningKeys(secrets: [TestSite.secret]))
            try await self.expectRefusal(site, expired.post([file]), status: 410, code: "expired_ticket")
        }
    }

    @Test("a key outside of the ticket's folder, however it is written")
    func keys() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            let other = try await site.draw(TestSite.documents)
            try await site.put(other.folder + "/x")
            let keys = [
                other.folder + "/x", drawn.folder + "X/x", drawn.folder, drawn.folder + "/", drawn.folder + "/../x",
                drawn.folder + "/./x",
                drawn.folder + "//x", drawn.folder + "/a/b", "/" + file.key, file.key + "/", drawn.folder + "/%2e%2e/x",
                drawn.folder + "/..", drawn.folder + "/a\\b", drawn.folder + "/a\u{0}b",
                drawn.folder + "/" + String(repeating: "a", count: 1_024), "",
            ]
            for key in keys {
                try await self.expectRefusal(site, drawn.post([(key, "x.txt")]), status: 403, code: "invalid_key")
            }
            try await self.expectRefusal(site, drawn.post([file, file]), status: 403, code: "invalid_key")
        }
    }

    @Test("a file that is not there, too large, of another type, or one too many")
    func objects() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            let missing = drawn.folder + "/missing"
            try await self.expectRefusal(site, drawn.post([(missing, "x.txt")]), status: 422, code: "missing_object")
            // One bad file among good ones: nothing is taken.
            try await self.expectRefusal(site, drawn.post([file, (missing, "y.txt")]), status: 422, code: "missing_object")

            try await site.put(drawn.folder + "/large", size: 100_001)
            try await self.expectRefusal(site, drawn.post([(drawn.folder + "/large", "l")]), status: 413, code: "too_large")

            let avatar = try await site.draw(TestSite.avatar)
            try await site.put(avatar.folder + "/a", contentType: "text/html")
            try await self.expectRefusal(site, avatar.post([(avatar.folder + "/a", "a.png")]), status: 415, code: "wrong_type")

            // The browser's word for the type is not enough: the first bytes are looked at.
            try await site.put(avatar.folder + "/b", text: "<html><script>alert(1)</script>", contentType: "image/png")
            try await self.expectRefusal(site, avatar.post([(avatar.folder + "/b", "b.png")]), status: 415, code: "wrong_type")

            let four = (0..<4).map { ("\(drawn.folder)/\($0)", "\($0).txt") }
            try await self.expectRefusal(site, drawn.post(four), status: 422, code: "too_many_files")
        }
    }

    @Test("a field that the route does not declare")
    func undeclared() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            var other = drawn
            other.field = "elsewhere"
            try await self.expectRefusal(site, other.post([file]), status: 400, code: "unknown_field")
        }
    }

    @Test("a body that does not decode, or passes its limits")
    func bodies() async throws {
        try await withSite { site async throws in
            try await self.expectRefusal(
                site,
                [("a", "b")],
                status: 400,
                code: "malformed_form",
                headers: [.contentType: "multipart/form-data; boundary=x"]
            )
            let long = [("a", String(repeating: "b", count: 1_000))]
            try await self.expectRefusal(site, long, status: 413, code: "form_too_large", limits: .init(bytes: 999))
            let many = (0..<20).map { ("a\($0)", "") }
            try await self.expectRefusal(site, many, status: 413, code: "form_too_large", limits: .init(fields: 10))
        }
    }

    @Test("a file in place of its key: the page's script did not run")
    func withoutScript() async throws {
        try await withSite { site async throws in
            try await self.expectRefusal(site, [("documents", "holiday.jpg")], status: 422, code: "script_required")
            // The same in a multipart form, as browsers post the name of a file where a script took it away.
            var form = MultipartPost()
            form.text("documents", "holiday.jpg")
            let post = form
            try await site.app().test(.router) { client async throws in
                let response = try await client.post(post)
                #expect(response.status == .unprocessableContent)
                #expect(try response.problem()["detail"]?.contains("JavaScript") == true)
            }
        }
    }

    @Test("a browser gets a page with the sentence, the file's name and a way back; nothing of it is markup from outside")
    func page() async throws {
        try await withSite { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            let form = drawn.post([(drawn.folder + "/missing", "<b>\"x\"&.txt")])
            let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
            try await site.app().test(.router) { client async throws in
                var headers: HTTPFields = [.accept: accept, .referer: "https://localhost/form?a=1&b=%22"]
                let response = try await client.post(form, headers: headers)
                #expect(response.status == .unprocessableContent)
                #expect(response.headers[.contentType] == "text/html; charset=utf-8")
                #expect(response.text.contains("did not arrive"))
                #expect(response.text.contains("&lt;b&gt;&quot;x&quot;&amp;.txt"))
                #expect(!response.text.contains("<b>"))
                #expect(!response.text.contains("<script") && !response.text.contains("style="))
                #expect(response.text.contains("href=\"/form?a=1&amp;b=%22\""))
                for foreign in [
                    "https://evil.example/form", "https://localhost.evil.example/", "https://localhost//evil.example/",
                ] {
                    headers[.referer] = foreign
                    #expect(try await client.post(form, headers: headers).text.contains("href=\"/\""))
                }
            }
        }
    }
}
