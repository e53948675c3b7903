import HTTPTypes
public import Hummingbird
public import S3FileHTTP
public import S3File

/// Turns the keys that a form brought into uploads, before the handler runs.
///
/// Put it on the routes that take the form, behind the app's own authentication and CSRF middleware, with the fields that the page drew:
/// ```swift
/// router.group()
///     .add(middleware: S3FileMiddleware(uploads: uploads, fields: [avatar]) { _, context in context.user.id })
///     .post("profile") { request, context in
///         try await save(key: context.uploads["avatar"].first?.key)
///         return Response.redirect(to: "/profile")
///     }
/// ```
/// Only POST, PUT and PATCH with a form's content type are looked at. The handler gets the body's bytes as they came, and may decode them
/// once more. A form that cannot be accepted is answered here: with a page for browsers, with problem details (RFC 9457) for programs.
public struct S3FileMiddleware<Context: S3FileRequestContext>: RouterMiddleware {
    /// When a verified file becomes a job.
    public typealias Mode = FormIntake.Mode

    private let intake: FormIntake
    private let subject: @Sendable (Request, Context) async throws -> String?

    /// - Parameters:
    ///   - uploads: The uploads of the app.
    ///   - fields: The fields of the form. A form that brings another is refused.
    ///   - mode: When a verified file becomes a job.
    ///   - limits: What the form may cost; its files do not count, as they are in S3.
    ///   - subject: The user or session the page was drawn for; the same value that was given to `Uploads.input`.
    public init(
        uploads: Uploads,
        fields: [UploadField],
        mode: Mode = .held,
        limits: FormBody.Limits = FormBody.Limits(),
        subject: @escaping @Sendable (Request, Context) async throws -> String?
    ) {
        self.intake = FormIntake(uploads: uploads, fields: fields, mode: mode, limits: limits)
        self.subject = subject
    }

    public func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let outcome = try await self.intake.take(
            request.head,
            body: request.body,
            subject: { try await self.subject(request, context) },
            logger: context.logger
        )
        switch outcome {
        case .notAForm: return try await next(request, context)
        case .refused(let answer): return Response(answer)
        case .taken(let form):
            var (request, context) = (request, context)
            request.body = RequestBody(buffer: form.body)
            context.uploads = form.uploads
            do {
                let response = try await next(request, context)
                await self.intake.finish(form, status: response.status, logger: context.logger)
                return response
            } catch {
                await self.intake.finish(form, status: nil, logger: context.logger)
                throw error
            }
        }
    }
}
