import Postgres
import NIOCore
import NIOHTTP1
import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import S3File
@testable import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(2))) struct StatusRoutesTests {
    private func withClient(
        cors: CrossOrigin = .off,
        authorise: UploadRoutes<TestContext>.Authoriser? = nil,
        _ body: @escaping @Sendable (TestSite, any TestClientProtocol) async throws -> Void
    ) async throws {
        try await withSite { site async throws in
            try await site.statusApp(cors: cors, authorise: authorise).test(.router) { client async throws in
                try await body(site, client)
            }
        }
    }

    private static func get(_ client: any TestClientProtocol, _ uri: String, _ headers: HTTPFields = [:]) async throws
        -> TestResponse
    {
        try await client.execute(uri: uri, method: .get, headers: headers)
    }

    private static func ids(_ response: TestResponse) throws -> [String] {
        let object = try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any]
        return try #require(object?["uploads"] as? [[String: Any]]).map { try #require($0["id"] as? String) }
    }

    @Test func `several are told in one answer, in the order asked, each once, as the single one is`() async throws {
        try await self.withClient { site, client async throws in
            let uploads = Array(try await site.enqueue(5).reversed())
            let response = try await Self.get(client, "/s3file/uploads?" + site.query(uploads + uploads))
            #expect(response.status == .ok && response.headers[.contentType] == "application/json")
            #expect(try Self.ids(response) == uploads.map { $0.id.uuidString.lowercased() })
            let single = try await Self.get(client, site.path(of: uploads[0])).text
            #expect(response.text.hasPrefix(#"{"uploads":["# + single + ","))
            #expect(single.wholeMatch(of: /.*"createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z".*/) != nil)
        }
    }

    @Test func `what there is not, and what the token does not open, are left out alike`() async throws {
        try await self.withClient { site, client async throws in
            let uploads = try await site.enqueue(2)
            let foreign = "upload=\(uploads[1].id).\(site.uploads.statusToken(for: uploads[0].id))"
            let unknown = "upload=\(UUID()).x&upload=\(UUID())."
            let response = try await Self.get(client, "/s3file/uploads?\(foreign)&\(unknown)&" + site.query([uploads[0]]))
            #expect(try Self.ids(response) == [uploads[0].id.uuidString.lowercased()])
            var answers: Set<String> = []
            for query in [foreign, unknown, "upload=\(UUID()).\(site.uploads.statusToken(for: UUID()))"] {
                #expect(try await Self.get(client, "/s3file/uploads?" + query).text == #"{"uploads":[]}"#)
                let stream = try await Self.get(client, "/s3file/events?" + query)
                #expect(stream.status == .notFound)
                answers.insert(stream.text)
            }
            #expect(answers.count == 1)
        }
    }

    @Test func `what the store said is not for whoever sent the file, and its code is`() async throws {
        try await self.withClient { site, client async throws in
            let worker = try await site.worker()
            let uploads = try await site.enqueue(2)
            let secret = "User: arn:aws:iam::123456789012:role/worker is not authorized"
            let jobs = try await site.claim(worker)
            try await site.settle([jobs[0]], .failed(code: "AccessDenied", message: secret), worker)
            try await site.settle([jobs[1]], .failed(code: "source_changed", message: "It changed."), worker)
            for path in ["uploads?", "events?"] {
                let text = try await Self.get(client, "/s3file/" + path + site.query(uploads)).text
                #expect(!text.contains("arn:aws") && text.contains(#""code":"AccessDenied""#), "\(path)")
                #expect(text.contains(#""message":"It changed.""#), "\(path)")
            }
            let single = try await Self.get(client, site.path(of: uploads.first { $0.id == jobs[0].id }!)).text
            #expect(!single.contains("arn:aws") && single.contains("Please tell the people who run this site."))
            // The record has it, for those.
            #expect(try await site.queue.upload(jobs[0].id)?.error?.message == secret)
        }
    }

    @Test func `the tag of several stands for all of them`() async throws {
        try await self.withClient { site, client async throws in
            let uploads = try await site.enqueue(3)
            let path = "/s3file/uploads?" + site.query(uploads)
            let tag = try #require(try await Self.get(client, path).headers[.eTag])
            let same = try await Self.get(client, path, [.ifNoneMatch: tag])
            #expect(same.status == .notModified && same.body.readableBytes == 0 && same.headers[.eTag] == tag)
            try await site.uploads.cancel([uploads[2].id])
            #expect(try await Self.get(client, path, [.ifNoneMatch: tag]).status == .ok)
        }
    }

    @Test func `hostile questions are refused with a problem, and cost nothing`() async throws {
        try await self.withClient { site, client async throws in
            let upload = try await site.enqueue()[0]
            let good = site.query([upload])
            let thousand = (0..<1_000).map { _ in "upload=\(UUID()).x" }.joined(separator: "&")
            let refused = [
                "uploads", "uploads?upload=", "uploads?upload=1.2", "uploads?upload=%00", "uploads?" + thousand, "events",
                "events?" + thousand,
                "uploads?\(good)&wait=-1", "uploads?\(good)&wait=31", "uploads?\(good)&wait=1e1", "uploads?\(good)&wait=",
                "uploads?\(good)&wait=99999999999999999999", "uploads?\(good)&upload=\(String(repeating: "x", count: 10_000))",
            ]
            for path in refused {
                let response = try await Self.get(client, "/s3file/" + path)
                #expect(response.status == .badRequest, "\(path.prefix(60))")
                #expect(response.headers[.contentType] == "application/problem+json")
            }
            let many = try await Self.get(client, "/s3file/uploads?" + thousand)
            #expect(try many.problem()["code"] == "too_many_uploads" && many.text.contains("100"))
            let without = try await Self.get(client, "/s3file/uploads?upload=\(upload.id)")
            #expect(without.status == .unauthorized)
            let long = String(repeating: "x", count: 100_000)
            #expect(try await Self.get(client, "/s3file/uploads/\(upload.id)?token=\(long)").status == .notFound)
        }
    }

    @Test func `the app's own authoriser opens what it says, and only that; a token opens as before`() async throws {
        let authorise: UploadRoutes<TestContext>.Authoriser = { request, _, upload in
            upload.owner == request.headers[TestSite.user]
        }
        try await self.withClient(authorise: authorise) { site, client async throws in
            let hers = try await site.enqueue(2, owner: "ada")
            let his = try await site.enqueue(owner: "bob")[0]
            let all = "/s3file/uploads?" + (hers + [his]).map { "upload=\($0.id)" }.joined(separator: "&")
            #expect(
                try Self.ids(try await Self.get(client, all, [TestSite.user: "ada"]))
                    == hers.map { $0.id.uuidString.lowercased() }
            )
            #expect(try Self.ids(try await Self.get(client, all)) == [])
            #expect(try await Self.get(client, "/s3file/uploads/\(his.id)", [TestSite.user: "bob"]).status == .ok)
            let refused = try await Self.get(client, "/s3file/uploads/\(his.id)", [TestSite.user: "ada"])
            let unknown = try await Self.get(client, "/s3file/uploads/\(UUID())", [TestSite.user: "ada"])
            #expect(refused.status == .notFound && refused.text == unknown.text)
            #expect(try await Self.get(client, "/s3file/events?upload=\(his.id)", [TestSite.user: "ada"]).status == .notFound)
            #expect(try await Self.get(client, site.path(of: his), [TestSite.user: "ada"]).status == .ok)
        }
    }

    @Test func `pages of other origins read only what an app has opened to them`() async throws {
        let origin = "https://page.example"
        try await self.withClient { site, client async throws in
            let path = site.path(of: try await site.enqueue()[0])
            #expect(try await Self.get(client, path, [.origin: origin]).headers[.accessControlAllowOrigin] == nil)
            let preflight = try await client.execute(uri: path, method: .options, headers: [.origin: origin])
            #expect(preflight.headers[.accessControlAllowOrigin] == nil)
        }
        try await self.withClient(cors: .origins([origin])) { site, client async throws in
            let upload = try await site.enqueue()[0]
            let paths = [
                site.path(of: upload), "/s3file/uploads?" + site.query([upload]), "/s3file/uploads/1?token=x", "/s3file/events",
            ]
            for path in paths {
                let response = try await Self.get(client, path, [.origin: origin])
                #expect(response.headers[.accessControlAllowOrigin] == origin && response.headers[.vary] == "Origin", "\(path)")
                let preflight = try await client.execute(uri: path, method: .options, headers: [.origin: origin])
                #expect(preflight.status == .noContent && preflight.headers[.accessControlAllowOrigin] == origin)
                #expect(
                    try await Self.get(client, path, [.origin: "https://other.example"]).headers[.accessControlAllowOrigin] == nil
                )
            }
        }
    }

    @Test func `a database that is away is said so`() async throws {
        try await withSite { site async throws in
            let configuration = try S3FileConfiguration(
                databaseURL: "postgresql://postgres@127.0.0.1:9/x?connect_timeout=1",
                bucket: TestSite.bucket,
                endpointURL: "http://127.0.0.1:9",
                credentials: .keys(accessKeyID: "x", secretAccessKey: "x"),
                secrets: [TestSite.secret]
            )
            // It does not run, so nothing waits for long.
            let uploads = try Uploads(configuration: configuration, logger: .quiet)
            let answer = try await UploadEndpoints(uploads: uploads).answer(
                .statuses,
                EndpointRequest(headers: [:], query: [("upload", "\(UUID.version7()).x"), ("upload", site.query([]))].dropLast())
            )
            // With a wrong token the record is not even asked.
            #expect(answer.status == .ok)
            let id = UUID()
            let asked = try await UploadEndpoints(uploads: uploads).answer(
                .statuses,
                EndpointRequest(headers: [:], query: [("upload", "\(id).\(uploads.statusToken(for: id))")])
            )
            #expect(asked.status == .serviceUnavailable && asked.headers[.retryAfter] != nil)
        }
    }
}
