public import HTTPTypes
import Logging
public import S3File

/// The script, the stylesheet, and the status of uploads: everything below ``UploadPaths``, without a framework.
///
/// An adapter mounts each ``Route`` and sends what ``answer(_:_:)`` returns:
/// ```swift
/// for route in UploadEndpoints.Route.allCases {
///     router.on(route.path, method: route.method) { request in await endpoints.answer(route, …) }
/// }
/// ```
public struct UploadEndpoints: Sendable {
    /// Bytes of a request's body.
    public static let largestBody = 65_536

    /// What there is to ask for.
    public enum Route: Sendable, CaseIterable {
        case script
        case stylesheet
        /// The status of one upload, as JSON with an ETag: with its token, as `?token=` or `Authorization: Bearer`.
        case status

        public var method: HTTPRequest.Method {
            switch self {
            case .script, .stylesheet, .status: .get
            }
        }

        /// Below ``UploadPaths/root``; `:name` stands for one part of the path.
        public var path: String {
            switch self {
            case .script: "s3file.js"
            case .stylesheet: "s3file.css"
            case .status: "uploads/:id"
            }
        }
    }

    let uploads: Uploads

    public init(uploads: Uploads) {
        self.uploads = uploads
    }

    /// The answer; a refusal is problem details (RFC 9457).
    public func answer(_ route: Route, _ request: EndpointRequest) async throws -> HTTPAnswer {
        do {
            return switch route {
            case .script: BrowserAsset.script.answer(to: request)
            case .stylesheet: BrowserAsset.stylesheet.answer(to: request)
            case .status: try await self.status(request)
            }
        } catch let problem as Problem {
            return problem.details()
        }
    }
}
