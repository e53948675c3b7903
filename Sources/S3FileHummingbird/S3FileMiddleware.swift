import HTTPTypes
public import Hummingbird
import Logging
import NIOCore
public import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

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
    public struct Mode: Sendable, Hashable {
        /// For how long workers leave the file alone while the handler runs; nil is manual.
        let hold: Duration?

        /// The files are enqueued before the handler, and held. They are released when the handler answers below 400, and cancelled when
        /// it answers 400 or above, or throws. If the process dies in between, the hold runs out and the files are stored rather than lost.
        public static var held: Mode { .held(for: .seconds(60)) }

        /// As ``held``, with a time of its own for slow handlers.
        public static func held(for hold: Duration) -> Mode { Mode(hold: hold) }

        /// Nothing is enqueued: the handler passes `context.uploads.promises` to `Uploads.enqueue`, or to SQL, by itself.
        public static var manual: Mode { Mode(hold: nil) }
    }

    private let uploads: Uploads
    private let fields: [UploadField]
    private let mode: Mode
    private let limits: FormBody.Limits
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
        self.uploads = uploads
        self.fields = fields
        self.mode = mode
        self.limits = limits
        self.subject = subject
    }

    public func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard [.post, .put, .patch].contains(request.method),
            let contentType = request.headers[.contentType], FormBody.canParse(contentType: contentType)
        else {
            return try await next(request, context)
        }
        var request = request
        do {
            let body = try await self.collectBody(of: &request)
            let form = try FormBody.parse(body, contentType: contentType, limits: self.limits)
            try self.refuseFilesWithoutScript(form)
            return try await self.handle(form, request, context, next)
        } catch let error as UploadError {
            context.logger.info(
                "Refused the files of a form",
                metadata: [
                    "s3file.error": "\(error.code)", "s3file.field": "\(error.field ?? "")",
                    "s3file.underlying": "\(error.underlying.map { "\($0)" } ?? "")",
                ]
            )
            return Problem(error).response(to: request)
        } catch let error as FormBodyError {
            return Problem(error).response(to: request)
        } catch let problem as Problem {
            return problem.response(to: request)
        }
    }

    private func handle(
        _ form: FormBody,
        _ request: Request,
        _ context: Context,
        _ next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        let subject = try await self.subject(request, context)
        let promises = try await self.uploads.verify(form, fields: self.fields, subject: subject)
        // By field as declared, so that the order does not hang on a dictionary.
        let ordered = self.fields.flatMap { promises[$0.name] ?? [] }
        guard let hold = self.mode.hold, !ordered.isEmpty else {
            context.uploads = FormUploads(promises: promises, uploads: [])
            return try await next(request, context)
        }
        let enqueued = try await self.uploads.enqueue(ordered, hold: hold)
        context.uploads = FormUploads(
            promises: promises,
            uploads: enqueued.map { FormUpload(upload: $0, statusToken: self.uploads.statusToken(for: $0.id)) }
        )
        let response: Response
        do {
            response = try await next(request, context)
        } catch {
            await self.cancel(enqueued, logger: context.logger)
            throw error
        }
        if response.status.code < 400 {
            await self.release(enqueued, logger: context.logger)
        } else {
            await self.cancel(enqueued, logger: context.logger)
        }
        return response
    }

    // MARK: The end of the hold

    /// In a task of its own that is waited for: a client who hangs up cancels the request, not what the handler decided.
    private func release(_ enqueued: [Upload], logger: Logger) async {
        let ids = enqueued.map(\.id)
        do {
            try await Task { try await self.uploads.release(ids) }.value
        } catch {
            logger.info("Could not release uploads; they are moved when their hold runs out", metadata: ["error": "\(error)"])
        }
    }

    private func cancel(_ enqueued: [Upload], logger: Logger) async {
        let ids = enqueued.map(\.id)
        do {
            // What an earlier post of the same form already released stays.
            try await Task { try await self.uploads.cancelHeld(ids) }.value
        } catch {
            logger.info("Could not cancel uploads; they are moved when their hold runs out", metadata: ["error": "\(error)"])
        }
    }

    // MARK: The body

    private func collectBody(of request: inout Request) async throws -> ByteBuffer {
        let tooLarge = FormBodyError(
            code: .tooLarge,
            message: "The form is larger than \(self.limits.bytes) bytes. Send less text."
        )
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > self.limits.bytes {
            throw tooLarge
        }
        do {
            return try await request.collectBody(upTo: self.limits.bytes)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }

    /// Without the script a browser posts the file itself, or its name, in place of a key.
    private func refuseFilesWithoutScript(_ form: FormBody) throws {
        let announced = Set(form.values(named: "s3file"))
        for field in self.fields {
            let part = form.fileParts.first { $0.name == field.name }
            let isBare = !announced.contains(field.name) && form.values(named: field.name).contains { !$0.isEmpty }
            guard part == nil, !isBare else {
                throw Problem(
                    status: .unprocessableContent,
                    code: "script_required",
                    detail:
                        "The file was not uploaded, because the page's script did not run. Switch JavaScript on, reload the page and choose the file again.",
                    field: field.name,
                    filename: part?.filename
                )
            }
        }
    }
}
