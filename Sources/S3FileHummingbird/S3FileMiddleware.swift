import HTTPTypes
public import Hummingbird
import NIOCore
public import S3FileHTTP
public import S3File

/// Turns the files that a form brought into uploads, before the handler runs.
///
/// Put it on the routes that take the form, behind the app's own authentication and CSRF middleware, with the fields that the page drew:
/// ```swift
/// router.group()
///     .add(middleware: SessionMiddleware(storage: sessions))          // whose user it is, by a cookie
///     .add(middleware: AuthMiddleware())                              // makes context.user of it, or answers 401
///     .add(middleware: S3FileMiddleware(uploads: uploads, fields: [avatar]) { _, context in context.user.id })
///     .post("profile") { request, context in
///         try await save(key: context.uploads["avatar"].first?.key)
///         return Response.redirect(to: "/profile")
///     }
/// ```
/// The page is drawn for the same subject: `uploads.input(avatar, subject: context.user.id)`. Where nobody signs in, a random name in a
/// session cookie will do; `nil` lets anybody who has the page bring the form.
///
/// Only POST, PUT and PATCH with a form's content type are looked at. The handler gets the body's bytes as they came, and may decode them
/// once more, but need not: `FormUploads.form` has them read. Files that are in the body itself, as browsers post them without the page's
/// script, go to S3 as they come, and the handler sees the form as the script would have posted it. A form that cannot be accepted is
/// answered here, and so is an `UploadError` that the handler throws: with a page for browsers, with problem details (RFC 9457) for programs.
///
/// A CSRF middleware runs before this one, and must not look for its token in the body, which it would have to read, files and all:
/// have it compare `Origin` or `Sec-Fetch-Site` with the app's own, or a cookie with a header.
public struct S3FileMiddleware<Context: S3FileRequestContext>: RouterMiddleware {
    /// When a verified file becomes a job.
    public typealias Mode = FormIntake.Mode
    /// What becomes of a form that brings its files itself.
    public typealias WithoutScript = FormIntake.WithoutScript

    private let intake: FormIntake
    private let subject: @Sendable (Request, Context) async throws -> String?

    /// - Parameters:
    ///   - uploads: The uploads of the app.
    ///   - fields: The fields of the form. A form that brings another is refused.
    ///   - mode: When a verified file becomes a job.
    ///   - limits: What the form may cost; its files do not count, as they are in S3, or on their way there.
    ///   - withoutScript: What becomes of a form that brings its files itself.
    ///   - subject: The user or session the page was drawn for; the same value that was given to `Uploads.input`.
    public init(
        uploads: Uploads,
        fields: [UploadField],
        mode: Mode = .held,
        limits: FormBody.Limits = FormBody.Limits(),
        withoutScript: WithoutScript = .streamed,
        subject: @escaping @Sendable (Request, Context) async throws -> String?
    ) {
        self.intake = FormIntake(uploads: uploads, fields: fields, mode: mode, limits: limits, withoutScript: withoutScript)
        self.subject = subject
    }

    /// Takes a form's files before the handler, and lets go of them, or not, by what it answers. Anything else is passed on as it is.
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
        case .refused(let answer): return Response(answer, InboundClose(of: request))
        case .taken(let form):
            var context = context
            context.uploads = form.uploads
            do {
                let response = try await next(request.replaying(form.body), context)
                await self.intake.finish(form, status: response.status, logger: context.logger)
                return response
            } catch {
                await self.intake.finish(form, status: nil, logger: context.logger)
                guard let refusal = error as? UploadError else { throw error }
                return Response(
                    self.intake.refusal(refusal, to: request.head, logger: context.logger),
                    InboundClose(of: request)
                )
            }
        }
    }
}

extension Request {
    /// The request with a body that was read, and perhaps changed.
    fileprivate func replaying(_ body: ByteBuffer) -> Request {
        var head = self.head
        head.headerFields[.transferEncoding] = nil
        head.headerFields[.contentLength] = String(body.readableBytes)
        var request = Request(head: head, body: self.body)
        request.body = RequestBody(buffer: body)
        return request
    }
}
