import AsyncHTTPClient
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Postgres
import S3DevServer
import S3File
import S3FileHTTP
import TestEnvironment
import Testing

/// Far more requests at a time than an app with the middleware serves, and a worker beside it.
@Suite("Floods", .timeLimit(.minutes(8)))
struct FloodTests {
    private static let clients = 120

    @Test func `a flood of forms, of forms with files and of presign requests is shed by 503, loses nothing, and workers go on`()
        async throws
    {
        // A look at a file takes a moment, as it does where S3 is far: forms keep their places meanwhile.
        let faults = Faults(latency: { $0.name == "GetObject" ? .milliseconds(40) : .zero })
        try await withSite(faults: faults, configure: { ($0.webRequests, $0.streamedForms) = (8, 2) }) { site async throws in
            let before = try await Self.enqueued(40, site)
            let ids = NIOLockedValueBox<[String]>([])
            let flood = try await site.app().test(.live) { test async throws in
                let client = FloodClient(site: site, address: "http://127.0.0.1:\(try #require(test.port))", ids: ids)
                return try await Flood.with(clients: Self.clients, client: { try await client.run($0, $1) }) { flood in
                    try await eventually("each is shed, and is served all the same", within: .seconds(150)) {
                        let counts = flood.counts
                        return ["forms", "files"].allSatisfy { counts.count($0, 503) > 5 && counts.count($0, 200) > 5 }
                            && counts.count("inputs", 200) > 5
                    }
                    #expect(try await Self.stored(before, site) == 0)
                    try await Self.withWorker(site) {
                        try await eventually("what waited is stored while the flood goes on", within: .seconds(150)) {
                            try await Self.stored(before, site) == before.count
                        }
                        let (then, enqueued) = (flood.counts, ids.withLockedValue { $0 })
                        try await eventually("it does go on, and what it brought is stored, too", within: .seconds(150)) {
                            let (now, stored) = (flood.counts, try await Self.stored(enqueued, site))
                            return now.shed > then.shed && now.count("forms", 200) > then.count("forms", 200)
                                && now.count("files", 200) > then.count("files", 200) && stored > 0
                        }
                    }
                    return flood
                }
            }
            let counts = flood.counts
            print("flood: \(counts.answers)")
            #expect(counts.statuses.isSubset(of: [200, 503]) && counts.complaints.isEmpty, "\(counts)")
            let told = ids.withLockedValue { $0 }
            #expect(Set(told).count == told.count && told.count == counts.count("forms", 200) + counts.count("files", 200))
            try await Self.withWorker(site) {
                try await eventually("all that was taken is stored", within: .seconds(120)) {
                    try await Self.stored(told, site) == told.count
                }
            }
            #expect(try await site.rows().count { $0 == "stored" } == told.count + before.count)
        }
    }

    @Test func `what the page's script asks is bounded on its own: forms take none of its places`() async throws {
        try await withSite(configure: { $0.webRequests = 1 }) { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app().test(.router) { client async throws in
                let (forms, script) = (site.uploads.formPlaces, site.uploads.scriptPlaces)
                let isFree = script.take() && forms.take()
                #expect(isFree)
                forms.giveBack()
                #expect(try await client.post(drawn.post([file])).status == .ok)
                let refused = try await client.execute(
                    uri: "/s3file/inputs",
                    method: .post,
                    headers: [.contentType: "application/x-www-form-urlencoded"],
                    body: ByteBuffer(string: encodeForm([("ticket", drawn.ticket)]))
                )
                #expect(refused.status == .serviceUnavailable && refused.headers[.retryAfter] == "1")
                #expect(try refused.problem()["code"] == "busy")
                // Scripts and statuses cost no such place.
                #expect(try await client.execute(uri: "/s3file/s3file.js", method: .get).status == .ok)
                script.giveBack()

                let isFreeAgain = forms.take()
                #expect(isFreeAgain)
                let busy = try await client.post(drawn.post([file]))
                #expect(busy.status == .serviceUnavailable && busy.headers[.retryAfter] != nil)
                #expect(try busy.problem()["code"] == "busy")
                forms.giveBack()
                #expect(try await client.post(drawn.post([file])).status == .ok)
            }
        }
    }

    @Test func `a form that has brought its files through this process is not sent back for want of a place`() async throws {
        try await withSite(configure: { $0.webRequests = 1 }) { try await self.takeWithoutPlace($0) }
    }

    private func takeWithoutPlace(_ site: TestSite) async throws {
        let places = site.uploads.formPlaces
        let body = HeldBody()
        let form = Task { try await site.intake(fields: [TestSite.documents]).take(body) }
        try await body.beginning(of: "documents", filename: "a.txt")
        // It holds none while it comes.
        let isFree = places.take()
        #expect(isFree && places.isFull)
        body.end()
        let outcome = try await form.value
        guard case .taken(let taken) = outcome else {
            Issue.record("it was refused: \(outcome)")
            return
        }
        #expect(taken.uploads.all.count == 1)
        places.giveBack()
        #expect(!places.isFull)
    }

    // MARK: The site

    /// Forms of before the flood.
    private static func enqueued(_ count: Int, _ site: TestSite) async throws -> [String] {
        try await site.app().test(.router) { client async throws in
            var ids: [String] = []
            for _ in 0..<count {
                let (drawn, file) = try await site.drawnWithFile()
                ids.append(try #require(FloodTests.id(try await client.post(drawn.post([file])).text)))
            }
            return ids
        }
    }

    fileprivate static func id(_ list: String) -> String? {
        list.split(separator: "\t").dropFirst().first.map(String.init)
    }

    private static func stored(_ ids: [String], _ site: TestSite) async throws -> Int {
        let text = ids.joined(separator: ",")
        return try await site.database.query(
            "select count(*) as count from s3file.upload where state = 2 and id = any(string_to_array(\(text), ',')::uuid[])"
        )[0]["count", Int.self]
    }

    private static func withWorker(_ site: TestSite, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let configuration = site.uploads.configuration
        let environment: [String: String?] = [
            "DATABASE_URL": configuration.databaseURL, "AWS_ENDPOINT_URL_S3": configuration.endpointURL,
            "AWS_ACCESS_KEY_ID": "s3file-dev", "AWS_SECRET_ACCESS_KEY": "s3file-dev-secret-key",
            "S3FILE_BUCKET": configuration.bucket, "S3FILE_SECRET": nil, "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil,
            "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
        ]
        try await Program.with("\(Program.folder)/s3file", ["worker"], environment: environment) { program in
            do {
                try await body()
            } catch {
                print(program.output.suffix(30).joined(separator: "\n"))
                throw error
            }
        }
    }
}

/// By its number one asks for fresh policies, posts forms whose files are in S3, or posts forms with the files in them.
private struct FloodClient: Sendable {
    let site: TestSite
    let address: String
    /// Of what was answered to be taken.
    let ids: NIOLockedValueBox<[String]>

    func run(_ number: Int, _ flood: Flood) async throws {
        let drawn = try await self.site.draw(TestSite.documents)
        var count = 0
        while !flood.isOver {
            switch number % 3 {
            case 0:
                await self.ask(
                    flood,
                    "inputs",
                    "/s3file/inputs",
                    Self.form,
                    ByteBuffer(string: encodeForm([("ticket", drawn.ticket)]))
                )
            case 1:
                let key = drawn.folder + "/\(number)-\(count)"
                try await self.site.put(key)
                let body = ByteBuffer(string: encodeForm(drawn.post([(key, "x.txt")])))
                await self.take(flood, "forms", Self.form, body)
            default:
                var form = MultipartPost()
                form.file("documents", "\(number)-\(count).txt", "bytes")
                await self.take(flood, "files", MultipartPost.contentType, form.body)
            }
            count += 1
        }
    }

    private static let form = "application/x-www-form-urlencoded"

    /// Posts a form until it is taken.
    private func take(_ flood: Flood, _ what: String, _ contentType: String, _ body: ByteBuffer) async {
        while !flood.isOver {
            guard let answer = await self.ask(flood, what, "/", contentType, body), answer.status == 200 else { continue }
            let id = FloodTests.id(String(buffer: answer.body)) ?? "nothing in \(String(buffer: answer.body))"
            self.ids.withLockedValue { $0.append(id) }
            return
        }
    }

    @discardableResult
    private func ask(_ flood: Flood, _ what: String, _ path: String, _ contentType: String, _ body: ByteBuffer) async
        -> (status: Int, body: ByteBuffer)?
    {
        var request = HTTPClientRequest(url: self.address + path)
        request.method = .POST
        request.headers = ["Content-Type": contentType]
        request.body = .bytes(body)
        return await flood.ask(what, request)
    }
}
