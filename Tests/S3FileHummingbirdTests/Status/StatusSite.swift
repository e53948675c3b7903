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

/// What tests of the status API need of a site: uploads that no form brought, somebody who moves them, and clients that read on.
extension TestSite {
    var queue: UploadQueue { self.connections.queue }

    func enqueue(_ count: Int = 1, owner: String? = "ada", filename: String = "report.pdf") async throws -> [Upload] {
        try await self.queue.enqueue(
            (0..<count).map { _ in
                let name = UUID().uuidString
                return UploadPromise(
                    id: .version7(),
                    field: "documents",
                    tmpBucket: Self.bucket,
                    tmpKey: "tmp/s3file/\(name)/x",
                    filename: filename,
                    size: 3,
                    contentType: "application/pdf",
                    etag: "\"\(name)\"",
                    versionID: nil,
                    owner: owner,
                    bucket: Self.bucket,
                    requestedKey: "documents/\(name).pdf"
                )
            }
        )
    }

    /// A worker claims all there is and notifies, as a real one does.
    func claim(_ worker: Int64) async throws -> [Job] {
        let jobs = try await self.queue.claim(worker: worker, room: 1_000, queues: nil, lanes: nil)
        try await self.queue.notifyOfStatuses()
        return jobs
    }

    func settle(_ jobs: [Job], _ outcome: Outcome, _ worker: Int64) async throws {
        _ = try await self.queue.settle(jobs.map { ($0, outcome) }, worker: worker)
        try await self.queue.notifyOfStatuses()
    }

    func worker() async throws -> Int64 {
        try await self.queue.register(host: "test", pid: 1, version: "0")
    }

    /// Only the routes, as an app may set them up.
    func statusApp(
        cors: CrossOrigin = .off,
        pace: StatusStream.Pace = StatusStream.Pace(),
        authorise: UploadRoutes<TestContext>.Authoriser? = nil
    ) -> some ApplicationProtocol {
        let router = Router(context: TestContext.self)
        var routes = UploadRoutes(uploads: self.uploads, context: TestContext.self, cors: cors, authorise: authorise)
        routes.answers.pace = pace
        routes.add(to: router)
        return Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: .quiet)
    }

    func path(of upload: Upload, _ more: String = "") -> String {
        "/s3file/uploads/\(upload.id.uuidString.lowercased())?token=\(self.uploads.statusToken(for: upload.id))" + more
    }

    /// `upload={id}.{token}&…`
    func query(_ uploads: [Upload]) -> String {
        uploads.map { "upload=\($0.id.uuidString.lowercased()).\(self.uploads.statusToken(for: $0.id))" }.joined(separator: "&")
    }

    func eventsPath(_ uploads: [Upload], _ more: String = "") -> String { "/s3file/events?" + self.query(uploads) + more }
}

/// An event as a browser reads it.
struct ServerEvent: Equatable {
    var name: String?
    var id: String?
    var data: String?
    var retry: Int?
    var isComment = false

    init(_ block: Substring) {
        for line in block.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            switch parts[0] {
            case "event": self.name = value
            case "id": self.id = value
            case "data": self.data = value
            case "retry": self.retry = Int(value)
            default: self.isComment = true
            }
        }
        if block.isEmpty { self.isComment = true }
    }

    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data((self.data ?? "").utf8)) as? [String: Any]) ?? [:]
    }

    /// `moving 1`
    var status: String { "\(self.json["status"] ?? "none") \(self.json["attempt"] ?? "")" }
}

/// Reads a stream of events over a socket.
struct EventReader {
    let response: HTTPClientResponse
    private var body: HTTPClientResponse.Body.AsyncIterator
    private var text = ""
    private var events: [ServerEvent] = []

    fileprivate init(_ response: HTTPClientResponse) {
        self.response = response
        self.body = response.body.makeAsyncIterator()
    }

    /// The next event or comment; nil at the end.
    mutating func next() async throws -> ServerEvent? {
        while self.events.isEmpty {
            guard let piece = try await self.body.next(isolation: #isolation) else { return nil }
            self.text += String(buffer: piece)
            while let end = self.text.firstRange(of: "\n\n") {
                self.events.append(ServerEvent(self.text[..<end.lowerBound]))
                self.text = String(self.text[end.upperBound...])
            }
        }
        return self.events.removeFirst()
    }

    /// The next event of a status.
    mutating func nextStatus() async throws -> ServerEvent? {
        while let event = try await self.next() {
            if event.name == "status" { return event }
        }
        return nil
    }

    /// All until the end.
    mutating func rest() async throws -> [ServerEvent] {
        var rest: [ServerEvent] = []
        while let event = try await self.next() { rest.append(event) }
        return rest
    }
}

/// A client with room for many connections.
func withEventClient<R: Sendable>(_ body: (HTTPClient) async throws -> R) async throws -> R {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 10_000
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        let result = try await body(client)
        try await client.shutdown()
        return result
    } catch {
        try await client.shutdown()
        throw error
    }
}

extension HTTPClient {
    func events(_ port: Int, _ path: String, lastEventID: String? = nil) async throws -> EventReader {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        // As browsers do, which are then told when the connection is closed.
        request.headers.add(name: "Connection", value: "keep-alive")
        if let lastEventID { request.headers.add(name: "Last-Event-ID", value: lastEventID) }
        return EventReader(try await self.execute(request, timeout: .seconds(100)))
    }

    func get(_ port: Int, _ path: String, _ headers: [(String, String)] = []) async throws -> (HTTPClientResponse, String) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.headers = HTTPHeaders(headers)
        let response = try await self.execute(request, timeout: .seconds(60))
        return (response, String(buffer: try await response.body.collect(upTo: 10_000_000)))
    }
}
