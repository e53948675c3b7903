import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Postgres
import S3File
@testable import S3FileHTTP
@testable import S3FileHummingbird
import TestEnvironment

/// A site with a dashboard, for whoever says that he is an operator.
extension TestSite {
    static let operatorHeader = HTTPField.Name("X-Operator")!

    func dashboardApp(
        uploads: Uploads? = nil,
        at path: RouterPath = "/internal/admin",
        pace: OverviewStream.Pace = OverviewStream.Pace()
    ) -> some ApplicationProtocol {
        let router = Router(context: TestContext.self)
        var routes = DashboardRoutes(uploads: uploads ?? self.uploads, context: TestContext.self) { request, _ in
            request.headers[Self.operatorHeader] != nil
        }
        routes.answers.pace = pace
        router.addRoutes(routes.endpoints, atPath: path)
        return Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: .quiet)
    }

    /// New uploads that end like this.
    @discardableResult
    func end(_ count: Int, _ outcome: Outcome, filename: String = "report.pdf", owner: String = "ada") async throws -> [UUID] {
        let worker = try await self.worker()
        let ids = Set(try await self.enqueue(count, owner: owner, filename: filename).map(\.id))
        let jobs = try await self.queue.claim(worker: worker, room: 1_000, queues: nil, lanes: nil)
        _ = try await self.queue.settle(jobs.filter { ids.contains($0.id) }.map { ($0, outcome) }, worker: worker)
        return Array(ids)
    }

    static let denied = Outcome.failed(code: "AccessDenied", message: "Access Denied.")
}

extension TestClientProtocol {
    /// A page of the dashboard, as a browser asks for it.
    func page(_ path: String, asOperator: Bool = false) async throws -> TestResponse {
        var headers: HTTPFields = [.accept: "text/html,application/xhtml+xml,*/*;q=0.8"]
        if asOperator { headers[TestSite.operatorHeader] = "yes" }
        return try await self.execute(uri: "/internal/admin" + path, method: .get, headers: headers)
    }

    /// A button, as a browser presses it.
    func press(
        _ path: String,
        _ fields: [(String, String)] = [],
        asOperator: Bool = true,
        site: String? = "same-origin",
        contentType: String = "application/x-www-form-urlencoded"
    ) async throws -> TestResponse {
        var headers: HTTPFields = [.accept: "text/html", .contentType: contentType]
        if asOperator { headers[TestSite.operatorHeader] = "yes" }
        if let site, let name = HTTPField.Name("Sec-Fetch-Site") { headers[name] = site }
        return try await self.execute(
            uri: "/internal/admin" + path,
            method: .post,
            headers: headers,
            body: ByteBuffer(string: encodeForm(fields))
        )
    }
}
