import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Postgres
import S3File
@testable import S3FileHTTP
import S3FileTesting
import TestEnvironment
import Testing

/// What is read of the dashboard.
@Suite struct DashboardPageTests {
    @Test func `pages are sent with headers that let nothing else run, be shown around them, or be kept`() async throws {
        try await withSite { site async throws in
            let id = try await site.enqueue()[0].id
            try await site.dashboardApp().test(.router) { client async throws in
                for path in ["/", "/uploads", "/uploads/\(id.uuidString.lowercased())"] {
                    let response = try await client.page(path)
                    #expect(response.status == .ok, "\(path)")
                    #expect(
                        response.headers[.contentSecurityPolicy]
                            == "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
                    )
                    #expect(response.headers[.cacheControl] == "no-store" && response.headers[.xContentTypeOptions] == "nosniff")
                    #expect(response.headers[try #require(HTTPField.Name("Referrer-Policy"))] == "same-origin")
                    #expect(response.headers[.contentType] == "text/html; charset=utf-8")
                    #expect(!response.text.contains("style=\"") && !response.text.contains("onclick"))
                }
            }
        }
    }

    @Test func `links are relative, so that any place does, and one without a slash at the end leads to one with it`()
        async throws
    {
        try await withSite { site async throws in
            let id = try await site.enqueue()[0].id.uuidString.lowercased()
            try await site.dashboardApp().test(.router) { client async throws in
                let bare = try await client.page("")
                #expect(bare.status == .found && bare.headers[.location] == "admin/")
                #expect(try await client.page("?done=paused&of=x").headers[.location] == "admin/?done=paused&of=x")
                for (path, up) in [
                    ("/", ""), ("/uploads", ""), ("/uploads/", "../"), ("/uploads/\(id)", "../"), ("/uploads/\(id)/", "../../"),
                ] {
                    let text = try await client.page(path).text
                    #expect(text.contains("href=\"\(up)dashboard.css?v="), "\(path)")
                    #expect(text.contains("src=\"\(up)dashboard.js?v=") && text.contains("action=\"\(up)uploads\""), "\(path)")
                    #expect(!text.contains("=\"/"), "\(path)")
                }
            }
        }
    }

    @Test func `script and stylesheet are served with tags, and kept for good by their version`() async throws {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                let page = try await client.page("/").text
                for name in ["dashboard.js", "dashboard.css"] {
                    let response = try await client.page("/" + name)
                    let tag = try #require(response.headers[.eTag])
                    #expect(response.status == .ok && response.headers[.cacheControl] == "public, max-age=3600")
                    let version = try #require(page.firstMatch(of: try Regex("\(name)\\?v=([0-9a-f]+)"))?.output[1].substring)
                    #expect(
                        try await client.page("/\(name)?v=\(version)").headers[.cacheControl]
                            == "public, max-age=31536000, immutable"
                    )
                    let again = try await client.execute(
                        uri: "/internal/admin/" + name,
                        method: .get,
                        headers: [.ifNoneMatch: tag]
                    )
                    #expect(again.status == .notModified)
                }
            }
        }
    }

    @Test func `hostile names, owners, keys and messages are text on every page`() async throws {
        let hostile = "<script>alert(1)</script>\"'&\u{202E}.pdf"
        let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\u{202E}"
        try await withSite { site async throws in
            let id = try await site.end(
                1,
                .failed(code: "<b>Odd", message: "</p><script>alert(2)</script>"),
                filename: hostile,
                owner: hostile
            )[0]
            try await site.dashboardApp().test(.router) { client async throws in
                for path in [
                    "/", "/uploads", "/uploads/\(id.uuidString.lowercased())", "/uploads?q=%3Cscript%3Ealert(1)%3C/script%3E",
                ] {
                    let text = try await client.page(path, asOperator: true).text
                    #expect(!text.contains("<script>alert") && !text.contains("<b>Odd"), "\(path)")
                }
                let page = try await client.page("/uploads/\(id.uuidString.lowercased())").text
                #expect(page.contains("<bdi>\(escaped)"))
                #expect(page.contains("&lt;/p&gt;&lt;script&gt;alert(2)&lt;/script&gt;"))
            }
        }
    }

    @Test func `one upload's page tells its timeline, and nothing that opens the file`() async throws {
        try await withSite { site async throws in
            let id = try await site.end(1, .stored(etag: "\"e\"", versionID: nil))[0]
            let failed = try await site.end(1, TestSite.denied)[0]
            try await site.dashboardApp().test(.router) { client async throws in
                let text = try await client.page("/uploads/\(id.uuidString.lowercased())", asOperator: true).text
                for words in ["Enqueued", "Taken, attempt 1", ">Stored<", "documents/", "tmp/s3file/", "report.pdf", "1 of 12"] {
                    #expect(text.contains(words), "\(words)")
                }
                #expect(!text.contains("X-Amz") && !text.contains("token=") && !text.contains(site.uploads.statusToken(for: id)))
                #expect(!text.contains("<button>Retry") && !text.contains("<button>Cancel"), "it is stored")
                let other = try await client.page("/uploads/\(failed.uuidString.lowercased())", asOperator: true).text
                #expect(
                    other.contains("Failed at attempt 1") && other.contains("Access Denied.")
                        && other.contains("<button>Retry</button>")
                )
                #expect(try await !client.page("/uploads/\(failed.uuidString.lowercased())").text.contains("<button>Retry"))
            }
        }
    }

    @Test func `the list finds by key, owner and id, narrows down, and goes on with what is older`() async throws {
        try await withSite { site async throws in
            let denied = try await site.end(60, TestSite.denied, owner: "eve")
            let stored = try await site.end(1, .stored(etag: "\"e\"", versionID: nil), filename: "mine.pdf")[0]
            let key = try #require(try await site.queue.upload(stored)?.key)
            try await site.dashboardApp().test(.router) { client async throws in
                func rows(_ path: String) async throws -> (count: Int, text: String) {
                    let text = try await client.page(path).text
                    return (text.ranges(of: "<th scope=\"row\">").count, text)
                }
                for query in [key, stored.uuidString.lowercased(), "ada"] {
                    let found = try await rows("/uploads?q=\(Wording.query(query))")
                    #expect(found.count == 1 && found.text.contains("mine.pdf"), "\(query)")
                }
                #expect(try await rows("/uploads?status=stored").count == 1)
                #expect(try await rows("/uploads?q=documents/&status=stored").count == 1)
                for query in ["code=AccessDenied", "owner=eve", "status=failed", "queue=default&code=AccessDenied"] {
                    let first = try await rows("/uploads?\(query)")
                    #expect(first.count == DashboardEndpoints.pageLength, "\(query)")
                    let next = try #require(first.text.firstMatch(of: /<a href="(uploads\?[^"]+)" rel="next">Older/)?.output.1)
                    let second = try await rows("/" + next.replacing("&amp;", with: "&"))
                    #expect(second.count == 10 && !second.text.contains("rel=\"next\""), "\(query)")
                    let shown = (first.text + second.text).matches(of: /uploads\/([0-9a-f-]{36})/).map { String($0.output.1) }
                    #expect(Set(shown) == Set(denied.map { $0.uuidString.lowercased() }), "\(query)")
                }
                #expect(try await rows("/uploads?q=nothing").text.contains("There is none."))
            }
        }
    }

    @Test(arguments: [
        "/uploads?q=%00", "/uploads?q=%FF", "/uploads?q=1&q=2", "/uploads?q=%zz", "/uploads?status=lost", "/uploads?after=x",
        "/uploads/x", "/uploads/%00", "/uploads/..%2F..%2Fetc", "/?done=%00",
        "/uploads?q=" + String(repeating: "x", count: 2_000),
    ])
    func `what makes no sense is refused with a page that says so, and with problem details for programs`(path: String)
        async throws
    {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                let page = try await client.page(path)
                #expect(page.status == .badRequest && page.text.contains("role=\"alert\""))
                #expect(page.headers[.contentSecurityPolicy] != nil)
                let details = try await client.execute(
                    uri: "/internal/admin" + path,
                    method: .get,
                    headers: [.accept: "application/json"]
                )
                #expect(details.status == .badRequest && details.headers[.contentType] == "application/problem+json")
            }
        }
    }

    @Test func `an upload that there is not is a page with 404, and a notice is only ever one of ours`() async throws {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                #expect(try await client.page("/uploads/01890a5d-ac96-774b-bcce-b302099a8057").status == .notFound)
                let page = try await client.page("/?done=retriedAll&of=%3Cb%3E&count=2&lost=1&more=1").text
                #expect(
                    page.contains(
                        "2 uploads that had failed with <bdi>&lt;b&gt;</bdi> are queued again. 1 other cannot be: their bytes, or their queue, are gone. There are more: press the button again."
                    )
                )
                #expect(try await !client.page("/?done=hacked&of=you").text.contains("hacked"))
                #expect(try await client.page("/?done=retriedAll&count=99999999999999999999").status == .ok)
            }
        }
    }

    @Test func `without an answer of the database a page says so, and with a role that may not read which grant is missing`()
        async throws
    {
        try await withSite { site async throws in
            _ = try await site.database.query("alter function s3file.worker_reading rename to hidden")
            try await site.dashboardApp().test(.router) { client async throws in
                let page = try await client.page("/")
                #expect(page.status == .serviceUnavailable && page.headers[.retryAfter] == "5")
                #expect(page.text.contains("The database does not answer just now."))
            }
        }
    }

    @Test func `uploads that are kept in memory have no dashboard, and a page that says why`() async throws {
        let testing = try TestUploads()
        try await withSite { site async throws in
            try await site.dashboardApp(uploads: testing.uploads).test(.router) { client async throws in
                for path in ["/", "/uploads", "/events"] {
                    let page = try await client.page(path)
                    #expect(page.status == .notImplemented && page.text.contains("kept in memory"), "\(path)")
                }
                #expect(try await client.page("/dashboard.css").status == .ok)
            }
        }
    }
}
