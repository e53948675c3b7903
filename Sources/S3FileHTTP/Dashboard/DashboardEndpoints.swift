public import HTTPTypes
import Logging
import NIOConcurrencyHelpers
public import S3File

/// The dashboard: what those who run this look at, and the few things that they do, without a framework.
///
/// An adapter mounts each ``Route`` **behind the app's own authentication** and sends what ``answer(_:_:)`` returns. Whoever comes here may
/// read; who may press the buttons is ``DashboardRequest/mayChange``. Pages link relatively, so that they work at any place and behind any proxy.
///
/// It needs the record in Postgres. With the uploads of `S3FileTesting`, which are kept in memory, each page says so, with 501.
public struct DashboardEndpoints: Sendable {
    /// Bytes of a request's body.
    public static let largestBody = 8_192

    /// What there is to ask for.
    public enum Route: Sendable, CaseIterable {
        /// How everything stands: queues, failures, buckets, workers.
        case overview
        /// The same as server-sent events, for the script of that page.
        case stream
        /// Uploads, the newest first: `?q=` finds by id, key, tmp key or owner; `status`, `queue`, `owner`, `bucket` and `code` narrow it
        /// down; `after=` goes on.
        case uploads
        /// All that is known of one upload, and what happened to it.
        case upload
        /// Keeps the overview current.
        case script
        /// How the pages look.
        case stylesheet
        /// Takes one upload up again.
        case retryUpload
        /// Withdraws one upload.
        case cancelUpload
        /// Takes all up again that have failed with one `code`.
        case retryFailed
        /// Stops the claims of one `queue`.
        case pauseQueue
        /// Lets them go on.
        case resumeQueue

        /// The one method that it is asked by.
        public var method: HTTPRequest.Method {
            switch self {
            case .overview, .stream, .uploads, .upload, .script, .stylesheet: .get
            case .retryUpload, .cancelUpload, .retryFailed, .pauseQueue, .resumeQueue: .post
            }
        }

        /// Below the place where the dashboard is mounted; `:name` stands for one part of the path.
        public var path: String {
            switch self {
            case .overview: ""
            case .stream: "events"
            case .uploads: "uploads"
            case .upload: "uploads/:id"
            case .script: "dashboard.js"
            case .stylesheet: "dashboard.css"
            case .retryUpload: "uploads/:id/retry"
            case .cancelUpload: "uploads/:id/cancel"
            case .retryFailed: "failures/retry"
            case .pauseQueue: "queues/pause"
            case .resumeQueue: "queues/resume"
            }
        }
    }

    let uploads: Uploads
    var pace = OverviewStream.Pace()
    let drawn = DrawnOverviews()

    /// - Parameter uploads: the uploads of the app.
    public init(uploads: Uploads) {
        self.uploads = uploads
    }

    /// The answer. A refusal is a page, or problem details (RFC 9457) for who asks for JSON.
    public func answer(_ route: Route, _ request: DashboardRequest) async throws -> HTTPAnswer {
        do {
            return switch route {
            case .overview: try await self.overview(request)
            case .stream: try await self.stream(request)
            case .uploads: try await self.list(request)
            case .upload: try await self.upload(request)
            case .script: BrowserAsset.dashboardScript.answer(to: try EndpointRequest(asset: request))
            case .stylesheet: BrowserAsset.dashboardStylesheet.answer(to: try EndpointRequest(asset: request))
            case .retryUpload: try await self.changing(request, self.retryUpload)
            case .cancelUpload: try await self.changing(request, self.cancelUpload)
            case .retryFailed: try await self.changing(request, self.retryFailed)
            case .pauseQueue: try await self.changing(request) { try await self.setPaused(true, $0, $1) }
            case .resumeQueue: try await self.changing(request) { try await self.setPaused(false, $0, $1) }
            }
        } catch let problem as Problem {
            return self.refused(problem, request, route)
        } catch let error as RecordProblem {
            self.uploads.logger.warning("The dashboard could not be answered", metadata: ["error": "\(error.underlying)"])
            return self.refused(Problem(error, changing: route.method == .post), request, route)
        }
    }

    /// The record, where there is one that can be looked at.
    var queue: UploadQueue {
        get throws(Problem) {
            guard let queue = self.uploads.operators else {
                throw Problem(
                    status: .notImplemented,
                    code: "no_record",
                    detail: "The dashboard shows the record in Postgres, and these uploads are kept in memory, for tests."
                )
            }
            return queue
        }
    }

    private func refused(_ problem: Problem, _ request: DashboardRequest, _ route: Route) -> HTTPAnswer {
        guard AcceptedAnswer.prefersHTML(request.head.headerFields[values: .accept]) else { return problem.details() }
        return DashboardPage.refusal(problem, root: Self.root(of: route, request)).answer(
            status: problem.status,
            headers: problem.headers
        )
    }
}

extension Problem {
    fileprivate init(_ error: RecordProblem, changing: Bool) {
        switch error.code {
        case .denied(let role):
            let needed = changing ? "s3file_operator" : "s3file_web"
            self.init(
                status: .forbidden,
                code: "missing_grant",
                detail: "The app's database role may not do this: let an administrator run “grant \(needed) to \(role)”.",
                underlying: error.underlying
            )
        case .unavailable:
            self.init(
                status: .serviceUnavailable,
                code: "database_unavailable",
                detail: changing
                    ? "The database did not answer in time, so it is not known whether this was done. Look, and try again."
                    : "The database does not answer just now. Try again in a moment.",
                headers: [.retryAfter: "5"],
                underlying: error.underlying
            )
        }
    }
}

extension EndpointRequest {
    fileprivate init(asset request: DashboardRequest) throws(Problem) {
        let version = try DashboardFields(query: request)["v"]
        self.init(headers: request.head.headerFields, query: version.map { [("v", $0)] } ?? [])
    }
}
