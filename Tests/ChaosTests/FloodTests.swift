import AsyncHTTPClient
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Postgres
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File

/// Far more requests at a time than the web process serves, and a worker beside it.
@Suite(.timeLimit(.minutes(8))) struct FloodTests {
    /// Two apps: one alone may take three quarters of the places.
    private static let keys = ["key-of-the-flood-0123456789abcdefghij", "key-of-the-other-0123456789abcdefghij"]
    private static let places = 16
    private static let clients = 120

    @Test func `a flood of inputs and forms is shed by 429 and 503, loses nothing that was taken, and workers go on`()
        async throws
    {
        // A look at a file takes a moment, as it does where S3 is far: forms keep their places meanwhile.
        let faults = Faults(latency: { $0.name == "GetObject" ? .milliseconds(40) : .zero })
        try await withMigratedDatabase { _, url in
            try await ChaosSite.with(databaseURL: url, faults: faults) { site in
                try await self.withService(site) { address in
                    let before = try await site.upload(60)
                    // What was answered to be enqueued, by its tmp key.
                    let taken = NIOLockedValueBox<[String: String]>([:])
                    let client = FloodClient(site: site, address: address, taken: taken)
                    let flood = try await Flood.with(clients: Self.clients, client: { try await client.run($0, $1) }) { flood in
                        try await eventually("each app is shed, and is served all the same", within: .seconds(150)) {
                            let counts = flood.counts
                            return counts.count("forms", 503) + counts.count("inputs", 503) > 0
                                && counts.count("forms", 429) + counts.count("inputs", 429) > 0
                                && counts.count("forms", 200) > 5 && counts.count("inputs", 200) > 5
                        }
                        #expect(try await site.storedCount() == 0)
                        try await site.withWorker { _ in
                            try await eventually("what waited is stored while the flood goes on", within: .seconds(150)) {
                                try await site.stored(before) == before.count
                            }
                            let then = flood.counts
                            try await eventually("it does go on, and so do workers", within: .seconds(150)) {
                                let (now, enqueued) = (flood.counts, taken.withLockedValue { $0.count })
                                let stored = try await site.storedCount()
                                return now.shed > then.shed && now.count("forms", 200) > then.count("forms", 200)
                                    && enqueued > 0 && stored > before.count
                            }
                        }
                        return flood
                    }
                    // Every client has its answer now.
                    let counts = flood.counts
                    print("flood: \(counts.answers)")
                    #expect(counts.statuses.isSubset(of: [200, 429, 503]) && counts.complaints.isEmpty, "\(counts)")
                    let ids = taken.withLockedValue { Set($0.values) }
                    #expect(ids.count == taken.withLockedValue { $0.count } && ids.count > 5)
                    try await site.withWorker { _ in
                        try await eventually("all that was taken is stored", within: .seconds(120)) {
                            try await site.stored(ids.compactMap { UUID(uuidString: $0) }) == ids.count
                        }
                    }
                    let all = try await site.number("select count(*)::float8 from s3file.upload")
                    #expect(Int(all) == ids.count + before.count)
                }
            }
        }
    }

    /// `s3file serve`, as operators run it, with fewer places than usual.
    private func withService(_ site: ChaosSite, _ body: @escaping @Sendable (_ address: String) async throws -> Void) async throws
    {
        try await withTemporaryFolder { folder in
            let fields = folder.appending(path: "fields.json")
            try Data(#"{"fields": [{"name": "file", "uploadTo": "flood/", "maximumSize": "1 MB"}]}"#.utf8).write(to: fields)
            let configuration = site.connections.configuration
            let environment: [String: String?] = [
                "DATABASE_URL": configuration.databaseURL, "AWS_ENDPOINT_URL_S3": configuration.endpointURL,
                "AWS_ACCESS_KEY_ID": configuration.accessKeyID, "AWS_SECRET_ACCESS_KEY": configuration.secretAccessKey,
                "S3FILE_BUCKET": configuration.bucket, "S3FILE_API_KEYS": Self.keys.joined(separator: ","),
                "S3FILE_FIELDS": fields.path, "S3FILE_API_REQUESTS": "\(Self.places)", "S3FILE_SECRET": nil,
                "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
                "S3FILE_SOCKET": nil, "S3FILE_PORT": nil,
            ]
            try await Program.with("\(Program.folder)/s3file", ["serve", "--port", "0"], environment: environment) { program in
                let line = try await program.line(containing: "s3file.address=")
                let port = try #require(line.firstMatch(of: /s3file\.address=http:\/\/127\.0\.0\.1:(\d+)/)?.1, "\(line)")
                try await body("http://127.0.0.1:\(port)")
            }
        }
    }

    /// Every other one asks for inputs, the others post one form after the other, each until it is taken.
    private struct FloodClient: Sendable {
        let site: ChaosSite
        let address: String
        let taken: NIOLockedValueBox<[String: String]>

        func run(_ number: Int, _ flood: Flood) async throws {
            // One app asks for more than its share, and the other for what is left.
            let key = FloodTests.keys[number / 2 % 6 == 0 ? 1 : 0]
            if number.isMultiple(of: 2) {
                while !flood.isOver { await self.ask(flood, "inputs", key, ["field": "file", "subject": NSNull()]) }
            } else {
                var drawn: [String: Any]?
                while drawn == nil, !flood.isOver {
                    drawn = await self.ask(flood, "inputs", key, ["field": "file", "subject": NSNull()])
                }
                guard let drawn else { return }
                let fields = try #require(drawn["fields"] as? [String: String])
                let folder = String(try #require(fields["key"]).dropLast("/${filename}".count))
                let ticket = try #require(drawn["ticket"] as? String)
                var count = 0
                while !flood.isOver {
                    try await self.upload("\(number)-\(count)", into: folder, ticket, key, flood)
                    count += 1
                }
            }
        }

        private func upload(_ name: String, into folder: String, _ ticket: String, _ key: String, _ flood: Flood) async throws {
            let tmpKey = "\(folder)/\(name)"
            _ = try await self.site.connections.s3.putObject(
                bucket: self.site.connections.configuration.bucket,
                key: tmpKey,
                body: ByteBuffer(string: "the bytes of \(name)"),
                attributes: S3ObjectAttributes(contentType: "text/plain")
            )
            let form = [
                ["s3file", "file"], ["file-s3f-signature", ticket], ["file", tmpKey], ["file-s3f-name", "\(name).txt"],
            ]
            while !flood.isOver {
                let body: [String: Any] = ["fields": ["file"], "subject": NSNull(), "form": form, "mode": "enqueue"]
                guard let answer = await self.ask(flood, "forms", key, body) else { continue }
                let uploads = try #require(answer["uploads"] as? [[String: Any]])
                let id = try #require(uploads.first?["id"] as? String)
                self.taken.withLockedValue { $0[tmpKey] = id }
                return
            }
        }

        /// The members of an answer that is 200.
        @discardableResult
        private func ask(_ flood: Flood, _ what: String, _ key: String, _ body: [String: Any]) async -> [String: Any]? {
            var request = HTTPClientRequest(url: "\(self.address)/v1/\(what)")
            request.method = .POST
            request.headers = ["Authorization": "Bearer \(key)", "Content-Type": "application/json"]
            guard let bytes = try? JSONSerialization.data(withJSONObject: body) else { return nil }
            request.body = .bytes(ByteBuffer(data: bytes))
            guard let answer = await flood.ask(what, request), answer.status == 200 else { return nil }
            return (try? JSONSerialization.jsonObject(with: Data(answer.body.readableBytesView))) as? [String: Any]
        }
    }
}

extension ChaosSite {
    /// How many of these are.
    fileprivate func stored(_ ids: [UUID]) async throws -> Int {
        let text = ids.map(\.uuidString).joined(separator: ",")
        return try await self.client.query(
            "select count(*) as count from s3file.upload where state = 2 and id = any(string_to_array(\(text), ',')::uuid[])"
        )[0]["count", Int.self]
    }
}
