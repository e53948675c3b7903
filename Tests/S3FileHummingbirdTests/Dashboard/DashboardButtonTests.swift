import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOHTTP1
import Postgres
import S3File
@testable import S3FileHTTP
@testable import S3FileHummingbird
import TestEnvironment
import Testing

/// What the dashboard's buttons do, and for whom.
@Suite struct DashboardButtonTests {
    private static let posts: [(String, [(String, String)])] = [
        ("/queues/pause", [("queue", "default")]), ("/queues/resume", [("queue", "default")]),
        ("/failures/retry", [("code", "AccessDenied")]), ("/uploads/01890a5d-ac96-774b-bcce-b302099a8057/retry", []),
        ("/uploads/01890a5d-ac96-774b-bcce-b302099a8057/cancel", []),
    ]

    @Test func `who may only read sees no buttons, and is refused when he sends what they send`() async throws {
        try await withSite { site async throws in
            let id = try await site.end(1, TestSite.denied)[0]
            try await site.dashboardApp().test(.router) { client async throws in
                for path in ["/", "/uploads/\(id.uuidString.lowercased())"] {
                    #expect(try await client.page(path).text.ranges(of: "method=\"post\"").isEmpty)
                    #expect(try await !client.page(path, asOperator: true).text.ranges(of: "method=\"post\"").isEmpty)
                }
                for (path, fields) in Self.posts {
                    let response = try await client.press(path, fields, asOperator: false)
                    #expect(response.status == .forbidden && response.text.contains("not change anything"), "\(path)")
                }
            }
            #expect(try await site.queue.upload(id)?.status == .failed)
            #expect(try await site.queue.overview().queues.map(\.isPaused) == [false])
        }
    }

    @Test func `nobody may change anything where the app did not say who may`() async throws {
        try await withSite { site async throws in
            let router = Router(context: TestContext.self)
            router.addRoutes(
                DashboardRoutes(uploads: site.uploads, context: TestContext.self).endpoints,
                atPath: "/internal/admin"
            )
            try await Application(router: router, logger: .quiet).test(.router) { client async throws in
                #expect(try await client.page("/", asOperator: true).status == .ok)
                for (path, fields) in Self.posts {
                    #expect(try await client.press(path, fields).status == .forbidden, "\(path)")
                }
            }
        }
    }

    @Test(arguments: ["cross-site", "same-site", "Cross-Site", "nonsense"])
    func `a form of another site, or of a neighbour, changes nothing`(origin: String) async throws {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                for (path, fields) in Self.posts {
                    let response = try await client.press(path, fields, site: origin)
                    #expect(response.status == .forbidden && response.text.contains("another site"), "\(path)")
                }
            }
            #expect(try await site.queue.overview().queues.map(\.isPaused) == [false])
        }
    }

    @Test func `without fetch metadata the origin decides`() async throws {
        try await withSite { site async throws in
            try await withEventClient { client in
                try await site.dashboardApp().test(.live) { test async throws in
                    let port = try #require(test.port)
                    func press(_ origin: String) async throws -> Int {
                        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/internal/admin/queues/pause")
                        request.method = .POST
                        request.headers = [
                            "Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "X-Operator": "yes",
                        ]
                        request.body = .bytes(ByteBuffer(string: "queue=default"))
                        return Int(try await client.execute(request, timeout: .seconds(20)).status.code)
                    }
                    let statuses = [
                        try await press("https://evil.example"), try await press("null"),
                        try await press("http://127.0.0.1:\(port)"),
                    ]
                    // The client follows the way back, to the overview.
                    #expect(statuses == [403, 403, 200])
                    let overview = try await site.queue.overview()
                    #expect(overview.queues.map(\.isPaused) == [true])
                }
            }
        }
    }

    @Test func `a queue is paused and goes on, the way back leads to the overview, and it says what was done`() async throws {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                let paused = try await client.press("/queues/pause", [("queue", "default")])
                #expect(paused.status == .seeOther && paused.headers[.location] == "../?done=paused&of=default")
                let page = try await client.page("/?done=paused&of=default", asOperator: true).text
                #expect(page.contains("Queue <bdi>default</bdi> is paused.") && page.contains(">Paused<"))
                #expect(page.contains("action=\"queues/resume\""))
                #expect(try await client.press("/queues/resume", [("queue", "default")]).status == .seeOther)
                #expect(try await client.page("/", asOperator: true).text.contains("action=\"queues/pause\""))
                for name in ["none", "a'; drop table s3file.job; --", "<b>"] {
                    #expect(try await client.press("/queues/pause", [("queue", name)]).status == .notFound)
                }
            }
            #expect(try await site.queue.overview().queues.map(\.queue) == ["default"])
        }
    }

    @Test func `retry all takes those with this error and no others, and says how many`() async throws {
        try await withSite { site async throws in
            let denied = try await site.end(3, TestSite.denied)
            let other = try await site.end(2, .failed(code: "NoSuchKey", message: "Gone."))
            try await site.dashboardApp().test(.router) { client async throws in
                let response = try await client.press("/failures/retry", [("code", "AccessDenied")])
                #expect(response.status == .seeOther)
                #expect(response.headers[.location] == "../?done=retriedAll&of=AccessDenied&count=3")
                let nothing = try await client.press("/failures/retry", [("code", "'; --")])
                #expect(nothing.headers[.location] == "../?done=retriedAll&of=%27%3B%20--")
            }
            let after = try await site.queue.uploads(denied + other)
            #expect(denied.allSatisfy { after[$0]?.status == .queued } && other.allSatisfy { after[$0]?.status == .failed })
        }
    }

    @Test func `one upload is taken up again, and withdrawn`() async throws {
        try await withSite { site async throws in
            let id = try await site.end(1, TestSite.denied)[0]
            let path = "/uploads/\(id.uuidString.lowercased())"
            try await site.dashboardApp().test(.router) { client async throws in
                let retried = try await client.press(path + "/retry")
                #expect(
                    retried.status == .seeOther && retried.headers[.location] == "../\(id.uuidString.lowercased())?done=retried"
                )
                #expect(try await site.queue.upload(id)?.status == .queued)
                #expect(try await client.press(path + "/retry").headers[.location]?.hasSuffix("?done=notRetried") == true)
                #expect(try await client.press(path + "/cancel").headers[.location]?.hasSuffix("?done=cancelled") == true)
                #expect(try await site.queue.upload(id)?.status == .cancelled)
                #expect(try await client.press("/uploads/x/retry").status == .badRequest)
            }
        }
    }

    @Test(arguments: [
        ("/queues/pause", "queue=%00"), ("/queues/pause", "queue=%FF"), ("/queues/pause", "queue=a&queue=b"),
        ("/queues/pause", ""),
        ("/failures/retry", "code="), ("/failures/retry", "code=" + String(repeating: "x", count: 1_100)),
    ])
    func `a form that makes no sense is refused, and changes nothing`(path: String, body: String) async throws {
        try await withSite { site async throws in
            try await site.dashboardApp().test(.router) { client async throws in
                let headers: HTTPFields = [
                    .accept: "text/html", .contentType: "application/x-www-form-urlencoded", TestSite.operatorHeader: "yes",
                ]
                let response = try await client.execute(
                    uri: "/internal/admin" + path,
                    method: .post,
                    headers: headers,
                    body: ByteBuffer(string: body)
                )
                #expect(response.status == .badRequest)
                let typed = try await client.press(path, [("queue", "default"), ("code", "x")], contentType: "text/plain")
                #expect(typed.status == .unsupportedMediaType)
            }
            #expect(try await site.queue.overview().queues.map(\.isPaused) == [false])
        }
    }

    @Test func `when the app's database role may not do it the page names the grant that is missing`() async throws {
        try await withSite { site async throws in
            let separator = site.uploads.configuration.databaseURL.contains("?") ? "&" : "?"
            var configuration = site.uploads.configuration
            configuration.databaseURL += separator + "options=-c%20role%3Ds3file_web"
            let uploads = try Uploads(configuration: configuration, logger: .quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await uploads.run() }
                defer { group.cancelAll() }
                try await site.dashboardApp(uploads: uploads).test(.router) { client async throws in
                    #expect(try await client.page("/", asOperator: true).status == .ok)
                    for (path, fields) in Self.posts.prefix(3) {
                        let response = try await client.press(path, fields)
                        #expect(response.status == .forbidden, "\(path)")
                        #expect(response.text.contains("grant s3file_operator to s3file_web"), "\(path)")
                    }
                }
            }
        }
    }
}
