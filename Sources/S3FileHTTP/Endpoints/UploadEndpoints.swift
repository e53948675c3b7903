public import HTTPTypes
import Logging
public import S3File

/// The script, the stylesheet, what the script asks for, and the status of uploads: everything below ``UploadPaths``, without a framework.
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
        /// A fresh policy for a drawn input: a form of `ticket`. Who has a live ticket may have one; with the app's word for who asks, the
        /// same subject gets a new ticket too, up to seven days after the end of the old one.
        case inputs
        /// Begins an upload in parts: a form of `ticket`, `size` and `type`.
        case beginMultipart
        /// URLs to send parts to: a form of `upload` and up to 100 times `part`.
        case multipartURLs
        /// The parts that have arrived: `?upload=`.
        case multipartParts
        /// Makes the object of its parts: a form of `upload`.
        case completeMultipart
        /// Gives an upload in parts up: `?upload=`.
        case abortMultipart

        public var method: HTTPRequest.Method {
            switch self {
            case .script, .stylesheet, .status, .multipartParts: .get
            case .inputs, .beginMultipart, .multipartURLs, .completeMultipart: .post
            case .abortMultipart: .delete
            }
        }

        /// Below ``UploadPaths/root``; `:name` stands for one part of the path.
        public var path: String {
            switch self {
            case .script: "s3file.js"
            case .stylesheet: "s3file.css"
            case .status: "uploads/:id"
            case .inputs: "inputs"
            case .beginMultipart, .multipartParts, .abortMultipart: "multipart"
            case .multipartURLs: "multipart/parts"
            case .completeMultipart: "multipart/complete"
            }
        }
    }

    let uploads: Uploads

    public init(uploads: Uploads) {
        self.uploads = uploads
    }

    /// Where an adapter mounts the routes: what drawn inputs name.
    public var paths: UploadPaths { self.uploads.paths }

    /// The answer; a refusal is problem details (RFC 9457).
    public func answer(_ route: Route, _ request: EndpointRequest) async throws -> HTTPAnswer {
        do {
            return switch route {
            case .script: BrowserAsset.script.answer(to: request)
            case .stylesheet: BrowserAsset.stylesheet.answer(to: request)
            case .status: try await self.status(request)
            case .inputs: try await self.inputs(request)
            case .beginMultipart: try await self.beginMultipart(request)
            case .multipartURLs: try await self.multipartURLs(request)
            case .multipartParts: try await self.multipartParts(request)
            case .completeMultipart: try await self.completeMultipart(request)
            case .abortMultipart: try await self.abortMultipart(request)
            }
        } catch let problem as Problem {
            return problem.details()
        } catch let error as UploadError {
            return Problem(error).details()
        } catch let error as FormBodyError {
            return Problem(error).details()
        }
    }
}
