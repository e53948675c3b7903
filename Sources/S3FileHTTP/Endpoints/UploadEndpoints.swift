public import HTTPTypes
import Logging
public import S3File

/// The script, the stylesheet, what the script asks for, and the status of uploads: everything below `UploadPaths`, without a framework.
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
        /// The page's one script, a module.
        case script
        /// What the script loads when an upload begins, for when one fails.
        case retryScript
        /// What it loads for inputs with options or kept files.
        case optionsScript
        /// What it loads for files too long for one POST.
        case multipartScript
        /// What it loads for `<s3file-status>`.
        case statusScript
        /// How inputs with options, files and statuses look; a page may leave it out.
        case stylesheet
        /// The status of one upload, as JSON with an ETag: with its token, as `?token=` or `Authorization: Bearer`. With `?wait=20` and
        /// `If-None-Match` it answers as soon as something changes, and with 304 after so many seconds.
        case status
        /// Of up to 100: `?upload={id}.{token}&upload=…`, as `{"uploads":[…]}`, likewise with `wait`. Those that there are not, or that may
        /// not be seen, are left out.
        case statuses
        /// The same as a stream of server-sent events named `status`, which tells each change until all have ended.
        case events
        /// What browsers ask before a page of another origin may ask.
        case statusPreflight, statusesPreflight, eventsPreflight
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

        /// The one method that it is asked by.
        public var method: HTTPRequest.Method {
            switch self {
            case .script, .retryScript, .optionsScript, .multipartScript, .statusScript, .stylesheet: .get
            case .status, .statuses, .events, .multipartParts: .get
            case .inputs, .beginMultipart, .multipartURLs, .completeMultipart: .post
            case .abortMultipart: .delete
            case .statusPreflight, .statusesPreflight, .eventsPreflight: .options
            }
        }

        /// Whether it is signed here or asks S3, and so takes one of the places of `S3FILE_WEB_REQUESTS`. Scripts cost nothing; who asks for a
        /// status has Postgres's pool, and who waits for one has `S3FILE_STATUS_STREAMS`.
        var takesPlace: Bool {
            switch self {
            case .inputs, .beginMultipart, .multipartURLs, .multipartParts, .completeMultipart, .abortMultipart: true
            case .script, .retryScript, .optionsScript, .multipartScript, .statusScript, .stylesheet: false
            case .status, .statuses, .events, .statusPreflight, .statusesPreflight, .eventsPreflight: false
            }
        }

        /// Below `UploadPaths.root`; `:name` stands for one part of the path.
        public var path: String {
            switch self {
            case .script: "s3file.js"
            case .retryScript: "s3file-retry.js"
            case .optionsScript: "s3file-options.js"
            case .multipartScript: "s3file-multipart.js"
            case .statusScript: "s3file-status.js"
            case .stylesheet: "s3file.css"
            case .status, .statusPreflight: "uploads/:id"
            case .statuses, .statusesPreflight: "uploads"
            case .events, .eventsPreflight: "events"
            case .inputs: "inputs"
            case .beginMultipart, .multipartParts, .abortMultipart: "multipart"
            case .multipartURLs: "multipart/parts"
            case .completeMultipart: "multipart/complete"
            }
        }
    }

    let uploads: Uploads
    private let cors: CrossOrigin
    var pace = StatusStream.Pace()

    /// - Parameters:
    ///   - uploads: the uploads of the app.
    ///   - cors: the other origins whose pages may read statuses.
    public init(uploads: Uploads, cors: CrossOrigin = .off) {
        self.uploads = uploads
        self.cors = cors
    }

    /// Where an adapter mounts the routes: what drawn inputs name.
    public var paths: UploadPaths { self.uploads.paths }

    /// The answer; a refusal is problem details (RFC 9457).
    public func answer(_ route: Route, _ request: EndpointRequest) async throws -> HTTPAnswer {
        guard route.takesPlace else { return try await self.served(route, request) }
        let places = self.uploads.scriptPlaces
        guard places.take() else {
            places.metrics.refused()
            return Problem.busy.details()
        }
        defer { places.giveBack() }
        return try await self.served(route, request)
    }

    private func served(_ route: Route, _ request: EndpointRequest) async throws -> HTTPAnswer {
        do {
            return switch route {
            case .script: BrowserAsset.script.answer(to: request)
            case .retryScript: BrowserAsset.retryScript.answer(to: request)
            case .optionsScript: BrowserAsset.optionsScript.answer(to: request)
            case .multipartScript: BrowserAsset.multipartScript.answer(to: request)
            case .statusScript: BrowserAsset.statusScript.answer(to: request)
            case .stylesheet: BrowserAsset.stylesheet.answer(to: request)
            case .status: try await self.admitting(request, self.status)
            case .statuses: try await self.admitting(request, self.statuses)
            case .events: try await self.admitting(request, self.events)
            case .statusPreflight, .statusesPreflight, .eventsPreflight: self.cors.preflight(request)
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

    /// For pages of other origins as well, refusals too.
    private func admitting(
        _ request: EndpointRequest,
        _ answer: (EndpointRequest) async throws -> HTTPAnswer
    ) async throws -> HTTPAnswer {
        do {
            return self.cors.admit(request, to: try await answer(request))
        } catch let problem as Problem {
            return self.cors.admit(request, to: problem.details())
        }
    }
}
