import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import S3File
import S3FileHTTP
import S3FileHummingbird

/// The routes of the service: those of browsers, and those of the app.
struct ServiceRouter: Sendable {
    let uploads: Uploads
    let configuration: ServiceConfiguration
    /// Places of the app's requests. Those of browsers have places of their own, which the upload routes keep: neither can take the other's.
    private let app: Admission

    init(uploads: Uploads, configuration: ServiceConfiguration) {
        self.uploads = uploads
        self.configuration = configuration
        self.app = Admission(
            limit: configuration.maximumRequests,
            keys: configuration.keys.keys.count,
            metrics: PlaceMetrics(.app, limit: configuration.maximumRequests, uploads.metrics)
        )
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        UploadRoutes(uploads: self.uploads).add(to: router)
        let endpoints = ServiceEndpoints(uploads: self.uploads, declared: self.configuration.fields)
        for route in ServiceRoute.allCases {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                Response(await self.answer(route, endpoints, request, context), InboundClose(of: request))
            }
        }
        return router
    }

    private func answer(
        _ route: ServiceRoute,
        _ endpoints: ServiceEndpoints,
        _ request: Request,
        _ context: BasicRequestContext
    ) async -> HTTPAnswer {
        guard route.needsKey else {
            return await endpoints.answer(route, ServiceRequest(headers: request.headers, key: .nobody, logger: context.logger))
        }
        guard let index = self.configuration.keys.key(authorization: request.headers[.authorization]) else {
            context.logger.info("Refused a request without a valid API key", metadata: ["s3file.path": "/\(route.path)"])
            return Problem.keyRequired(hasKey: request.headers[.authorization] != nil).details()
        }
        let key = self.configuration.keys.keys[index]
        var logger = context.logger
        logger[metadataKey: "s3file.key"] = "\(key.label)"
        var asked = ServiceRequest(headers: request.headers, key: key, logger: logger)
        asked.parameters = Dictionary(context.parameters.map { (String($0.key), String($0.value)) }) { first, _ in first }
        asked.query = request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        let served = asked
        return await self.app.admit(index, refuse: { Problem.busy($0).details() }) {
            do {
                var served = served
                if route.method == .post { served.body = try await self.body(of: request) }
                let complete = served
                return try await TimeLimit.within(self.configuration.answerTimeout) { await endpoints.answer(route, complete) }
            } catch is TimeLimit.Exceeded {
                return Problem.tookTooLong.details()
            } catch {
                return Problem(serving: error, logger: logger).details()
            }
        }
    }

    /// The whole body, in time and within its bounds.
    ///
    /// - Throws: ``Problem``.
    private func body(of request: Request) async throws -> ByteBuffer {
        let most = ServiceEndpoints.largestBody
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most { throw Problem.bodyTooLarge }
        do {
            let body = request.body
            return try await TimeLimit.within(self.configuration.bodyTimeout) { try await body.collect(upTo: most) }
        } catch is NIOTooManyBytesError {
            throw Problem.bodyTooLarge
        } catch is TimeLimit.Exceeded {
            throw Problem(
                status: .requestTimeout,
                code: "too_slow",
                detail:
                    "The body did not come within \(self.configuration.bodyTimeout.components.seconds) seconds. Send it again."
            )
        }
    }
}

extension Problem {
    static func keyRequired(hasKey: Bool) -> Problem {
        Problem(
            status: .unauthorized,
            code: hasKey ? "unknown_key" : "key_required",
            detail: hasKey
                ? "The API key is none that this service knows. Send one of S3FILE_API_KEYS as Authorization: Bearer."
                : "This needs an API key: send one of S3FILE_API_KEYS as Authorization: Bearer.",
            headers: [.wwwAuthenticate: "Bearer"]
        )
    }

    static func busy(_ refusal: Admission.Refusal) -> Problem {
        guard refusal == .share else { return .busy }
        return Problem(
            status: .tooManyRequests,
            code: "too_many_requests",
            detail: "As many requests of this API key are being served as one key may have. Try again in a moment.",
            headers: [.retryAfter: "1"]
        )
    }

    static let bodyTooLarge = Problem(
        status: .contentTooLarge,
        code: "body_too_large",
        detail: "The body is larger than \(ServiceEndpoints.largestBody) bytes. Send less."
    )

    static let tookTooLong = Problem(
        status: .serviceUnavailable,
        code: "timed_out",
        detail: "The answer took too long and was given up. Send the request again: what it did is not done twice.",
        headers: [.retryAfter: "1"]
    )
}
