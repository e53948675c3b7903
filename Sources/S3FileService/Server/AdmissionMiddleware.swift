import Hummingbird
import S3FileHTTP
import S3FileHummingbird

/// Bounds the requests of browsers that ask S3: they begin uploads and renew policies. Scripts cost nothing, and who waits for a status has
/// `S3FILE_STATUS_STREAMS`.
struct AdmissionMiddleware<Context: RequestContext>: RouterMiddleware {
    let admission: Admission

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard request.method == .post || request.method == .delete else { return try await next(request, context) }
        return try await self.admission.admit(
            0,
            refuse: { Response(Problem.busy($0).details(), InboundClose(of: request)) },
            serve: { try await next(request, context) }
        )
    }
}
