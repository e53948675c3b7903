import HTTPTypes
import NIOCore
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension DashboardEndpoints {
    /// Uploads of one page of a list.
    static let pageLength = 50
    /// Of what is found by a text, so many are looked at for those that fit what else is asked.
    static let mostNarrowed = 1_000
    /// How long one page looks for what is rare, before it shows what it has, and where to go on.
    private static let lookingTime = Duration.seconds(1)

    /// What leads from a page to the dashboard's root, as a beginning of links. Relative: nobody need know where it is mounted, nor what a
    /// proxy calls that.
    static func root(of route: Route, _ request: DashboardRequest) -> String {
        let below = route.path.split(separator: "/").count
        let up = max(0, below - 1) + (below > 0 && request.path.hasSuffix("/") ? 1 : 0)
        return String(repeating: "../", count: up)
    }

    /// `GET …/`: how everything stands.
    func overview(_ request: DashboardRequest) async throws -> HTTPAnswer {
        guard request.path.hasSuffix("/") else { return Self.withSlash(request) }
        let notice = Notice(try DashboardFields(query: request))
        let mayChange = try await request.mayChange()
        let overview = try await self.queue.asking { try await $0.overview() }
        return DashboardPage.overview(overview, mayChange: mayChange, notice: notice).answer()
    }

    /// Relative links begin at the last slash.
    private static func withSlash(_ request: DashboardRequest) -> HTTPAnswer {
        let last = request.path.split(separator: "/").last.map { "\($0)/" } ?? "./"
        let query = (request.head.path ?? "").dropFirst(request.path.count).prefix { $0 != "#" }
        return HTTPAnswer(status: .found, headers: [.location: "\(last)\(query)", .cacheControl: "no-store"])
    }

    /// `GET …/uploads`
    func list(_ request: DashboardRequest) async throws -> HTTPAnswer {
        let asked = try UploadList.Asked(try DashboardFields(query: request))
        let page = try await self.queue.asking { try await self.find(asked, $0) }
        // Our clock may be behind Postgres's.
        let now = page.uploads.map(\.upload.createdAt).reduce(Date()) { max($0, $1) }
        return DashboardPage.list(
            UploadList(asked: asked, uploads: page.uploads, next: page.next, readAt: now),
            root: Self.root(of: .uploads, request)
        ).answer()
    }

    private func find(_ asked: UploadList.Asked, _ queue: UploadQueue) async throws -> (uploads: [QueuedUpload], next: UUID?) {
        if let text = asked.text {
            // What fits may lie behind a page full of what does not.
            let found = try await queue.search(text, limit: asked.isNarrowed ? Self.mostNarrowed : Self.pageLength)
            return (Array(found.filter(asked.fits).prefix(Self.pageLength)), nil)
        }
        if let code = asked.onlyCode {
            return try await queue.page(withError: code, after: asked.after, limit: Self.pageLength)
        }
        let end = ContinuousClock.now + Self.lookingTime
        var found: [QueuedUpload] = []
        var next = asked.after
        repeat {
            let page = try await queue.page(asked.filter, after: next, limit: Self.pageLength - found.count)
            found += page.uploads
            next = page.next
        } while next != nil && found.count < Self.pageLength && ContinuousClock.now < end
        return (found, next)
    }

    /// `GET …/uploads/{id}`
    func upload(_ request: DashboardRequest) async throws -> HTTPAnswer {
        let id = try Self.id(request)
        let notice = Notice(try DashboardFields(query: request))
        let mayChange = try await request.mayChange()
        guard let dossier = try await self.queue.asking({ try await $0.dossier(of: id) }) else { throw Self.unknownUpload }
        return DashboardPage.upload(dossier, mayChange: mayChange, notice: notice, root: Self.root(of: .upload, request)).answer()
    }

    static func id(_ request: DashboardRequest) throws(Problem) -> UUID {
        guard let text = request.parameters["id"], let id = UUID(canonical: text) else {
            throw DashboardFields.refusal(
                "This is not the id of an upload: 36 characters, as in 01890a5d-ac96-774b-bcce-b302099a8057."
            )
        }
        return id
    }

    static let unknownUpload = Problem(
        status: .notFound,
        code: "unknown_upload",
        detail: "There is no upload with this id. Those that ended long ago are forgotten."
    )
}
