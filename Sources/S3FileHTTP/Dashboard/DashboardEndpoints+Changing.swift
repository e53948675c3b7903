import HTTPTypes
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the buttons do. Each is a form's post, and is answered with the way back to the page it was pressed on.
extension DashboardEndpoints {
    typealias Change = (_ request: DashboardRequest, _ queue: UploadQueue) async throws -> HTTPAnswer

    /// Refuses who may not, before anything is read.
    func changing(_ request: DashboardRequest, _ change: Change) async throws -> HTTPAnswer {
        guard !request.head.isFromElsewhere else {
            throw Problem(
                status: .forbidden,
                code: "cross_site",
                detail: "Nothing was changed, because the form was sent from another site. Use the buttons of this one."
            )
        }
        guard try await request.mayChange() else {
            throw Problem(
                status: .forbidden,
                code: "read_only",
                detail: "You may look, and not change anything here."
            )
        }
        let answer = try await change(request, try self.queue)
        self.uploads.overview?.hurry()
        return answer
    }

    /// `POST …/uploads/{id}/retry`
    func retryUpload(_ request: DashboardRequest, _ queue: UploadQueue) async throws -> HTTPAnswer {
        let id = try Self.id(request)
        let count = try await queue.asking { try await $0.retry([id]) }
        self.uploads.changed()
        return Self.back(to: id, Notice(count > 0 ? .retried : .notRetried))
    }

    /// `POST …/uploads/{id}/cancel`
    func cancelUpload(_ request: DashboardRequest, _ queue: UploadQueue) async throws -> HTTPAnswer {
        let id = try Self.id(request)
        let isCancelled = try await queue.asking { try await $0.cancelOne(id) }
        self.uploads.changed()
        return Self.back(to: id, Notice(isCancelled ? .cancelled : .cancelAsked))
    }

    /// `POST …/failures/retry` with a form of `code`
    func retryFailed(_ request: DashboardRequest, _ queue: UploadQueue) async throws -> HTTPAnswer {
        let code = try DashboardFields(form: request).required("code")
        let result = try await queue.asking { try await $0.retryFailed(code: code) }
        self.uploads.changed()
        return Self.backToOverview(
            Notice(.retriedAll, of: code, count: result.retried, lost: result.lost, hasMore: result.hasMore)
        )
    }

    /// `POST …/queues/pause` and `…/queues/resume` with a form of `queue`
    func setPaused(_ isPaused: Bool, _ request: DashboardRequest, _ queue: UploadQueue) async throws -> HTTPAnswer {
        let name = try DashboardFields(form: request).required("queue")
        let isKnown = try await queue.asking { try await $0.setPaused(name, isPaused) }
        guard isKnown else {
            throw Problem(status: .notFound, code: "unknown_queue", detail: "There is no queue with this name.")
        }
        // What waits there may go on.
        if !isPaused { self.uploads.changed() }
        return Self.backToOverview(Notice(isPaused ? .paused : .resumed, of: name))
    }

    private static func back(to id: UUID, _ notice: Notice) -> HTTPAnswer {
        Self.seeOther("../\(id.uuidString.lowercased())?\(notice.query)")
    }

    private static func backToOverview(_ notice: Notice) -> HTTPAnswer {
        Self.seeOther("../?\(notice.query)")
    }

    private static func seeOther(_ location: String) -> HTTPAnswer {
        HTTPAnswer(status: .seeOther, headers: [.location: location, .cacheControl: "no-store"])
    }
}

extension HTTPRequest {
    /// Whether a page that is not of this very origin may have sent it. Stricter than ``isCrossSite``: a neighbour under the same domain has no
    /// business with these buttons.
    fileprivate var isFromElsewhere: Bool {
        if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ self.headerFields[$0] }) {
            return !["same-origin", "none"].contains(site.lowercased())
        }
        return self.isCrossSite
    }
}
