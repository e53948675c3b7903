import HTTPTypes
import Logging
import Postgres
import S3
import S3File
import S3FileHTTP

/// The app's own API, without a framework.
struct ServiceEndpoints: Sendable {
    /// Bytes of a request's body.
    static let largestBody = 1_048_576
    /// Ids that one request may name: in a query, where they must fit into a line, and in a body.
    static let mostIDsOfQuery = 100
    static let mostIDs = 1_000

    let uploads: Uploads
    /// In the order of their declaration.
    let declared: [UploadField]

    /// The answer; a refusal is problem details (RFC 9457).
    func answer(_ route: ServiceRoute, _ request: ServiceRequest) async -> HTTPAnswer {
        do {
            return switch route {
            case .fields: try self.fields(request)
            case .inputs: try await self.input(request)
            case .forms: try await self.form(request)
            case .uploads: try await self.uploads(request)
            case .upload: try await self.upload(request)
            case .release: try await self.change(request) { try await self.uploads.release($0) }
            case .cancelHeld: try await self.change(request) { try await self.uploads.cancelHeld($0) }
            case .cancel: try await self.change(request) { try await self.uploads.cancel($0) }
            case .retry: try await self.change(request) { _ = try await self.uploads.retry($0) }
            case .openAPI: OpenAPIDocument.answer
            case .live: HealthEndpoints([self.uploads]).answer(.live)
            case .ready: HealthEndpoints([self.uploads]).answer(.ready)
            }
        } catch {
            return Problem(serving: error, logger: request.logger).details()
        }
    }

    /// The field of this name.
    ///
    /// - Throws: ``Problem`` when there is none, or the key is not for it.
    func field(_ name: String, _ key: APIKey) throws(Problem) -> UploadField {
        guard let field = self.declared.first(where: { $0.name == name }) else {
            throw Problem(
                status: .badRequest,
                code: "unknown_field",
                detail: "There is no field \"\(name.prefix(64))\". Declare it in the fields file, or correct the name.",
                field: String(name.prefix(64))
            )
        }
        guard key.mayUse(field.name) else {
            throw Problem(
                status: .forbidden,
                code: "field_not_allowed",
                detail: "This API key is not for the field \"\(field.name)\". Use one that is.",
                field: field.name
            )
        }
        return field
    }
}

extension Problem {
    /// What went wrong while a request was served, in words that tell nothing of the inside.
    init(serving error: any Error, logger: Logger) {
        switch error {
        case let problem as Problem: self = problem
        case let error as UploadError: self.init(error)
        case let error as FormBodyError: self.init(error)
        case is PostgresError:
            self.init(
                status: .serviceUnavailable,
                code: "database_unavailable",
                detail: "The record of uploads cannot be reached just now. Try again in a moment.",
                headers: [.retryAfter: "5"],
                underlying: error
            )
        case is S3Error:
            self.init(
                status: .serviceUnavailable,
                code: "storage_unavailable",
                detail: "The storage cannot be reached just now. Try again in a moment.",
                headers: [.retryAfter: "5"],
                underlying: error
            )
        case is CancellationError:
            self.init(
                status: .serviceUnavailable,
                code: "stopped",
                detail: "The request was not finished. Send it again.",
                headers: [.retryAfter: "1"]
            )
        default:
            self.init(
                status: .internalServerError,
                code: "internal_error",
                detail: "Something went wrong here, and the log says what.",
                underlying: error
            )
        }
        if let underlying = self.underlying {
            logger.info("A request failed", metadata: ["s3file.error": "\(self.code)", "s3file.underlying": "\(underlying)"])
        }
    }
}
