public import HTTPTypes
public import Logging
public import NIOCore
public import S3File

/// Takes what a form brought, before the handler runs, and ends it by what the handler answered: the middleware without a framework.
///
/// An adapter calls ``take(_:body:subject:logger:)``, hands ``TakenForm/body`` and ``TakenForm/uploads`` to the handler, and then says by
/// ``finish(_:status:logger:)`` what the handler answered.
public struct FormIntake: Sendable {
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

    /// What became of a request.
    public enum Outcome: Sendable {
        /// It is none of ours: the handler gets it as it came, and its body is not read.
        case notAForm
        /// For the handler.
        case taken(TakenForm)
        /// For the client, in place of the handler: a page for browsers, problem details (RFC 9457) for programs.
        case refused(HTTPAnswer)
    }

    private let uploads: Uploads
    private let fields: [UploadField]
    private let mode: Mode
    private let limits: FormBody.Limits

    /// - Parameters:
    ///   - uploads: The uploads of the app.
    ///   - fields: The fields of the form. A form that brings another is refused.
    ///   - mode: When a verified file becomes a job.
    ///   - limits: What the form may cost; its files do not count, as they are in S3.
    public init(uploads: Uploads, fields: [UploadField], mode: Mode = .held, limits: FormBody.Limits = FormBody.Limits()) {
        self.uploads = uploads
        self.fields = fields
        self.mode = mode
        self.limits = limits
    }

    /// Reads and verifies a form, and enqueues its files as ``Mode`` says.
    ///
    /// - Parameters:
    ///   - request: Its head.
    ///   - body: Read once, and only if the request is a form.
    ///   - subject: The user or session the page was drawn for; asked for only if the request is a form.
    ///   - logger: That of the request.
    /// - Throws: What `subject` or `body` throws.
    public func take(
        _ request: HTTPRequest,
        body: some AsyncSequence<ByteBuffer, any Error> & Sendable,
        subject: () async throws -> String?,
        logger: Logger
    ) async throws -> Outcome {
        guard [.post, .put, .patch].contains(request.method),
            let contentType = request.headerFields[.contentType], FormBody.canParse(contentType: contentType)
        else {
            return .notAForm
        }
        do {
            let body = try await self.collect(body, of: request)
            let form = try FormBody.parse(body, contentType: contentType, limits: self.limits)
            try self.refuseFilesWithoutScript(form)
            return .taken(try await self.take(form, body, subject: try await subject()))
        } catch let error as UploadError {
            logger.info(
                "Refused the files of a form",
                metadata: [
                    "s3file.error": "\(error.code)", "s3file.field": "\(error.field ?? "")",
                    "s3file.underlying": "\(error.underlying.map { "\($0)" } ?? "")",
                ]
            )
            return .refused(Problem(error).answer(to: request))
        } catch let error as FormBodyError {
            return .refused(Problem(error).answer(to: request))
        } catch let problem as Problem {
            return .refused(problem.answer(to: request))
        }
    }

    private func take(_ form: FormBody, _ body: ByteBuffer, subject: String?) async throws -> TakenForm {
        let promises = try await self.uploads.verify(form, fields: self.fields, subject: subject)
        // By field as declared, so that the order does not hang on a dictionary.
        let ordered = self.fields.flatMap { promises[$0.name] ?? [] }
        guard let hold = self.mode.hold, !ordered.isEmpty else {
            return TakenForm(body: body, uploads: FormUploads(promises: promises, uploads: []), held: [])
        }
        let enqueued = try await self.uploads.enqueue(ordered, hold: hold)
        let uploads = enqueued.map { FormUpload(upload: $0, statusToken: self.uploads.statusToken(for: $0.id)) }
        return TakenForm(body: body, uploads: FormUploads(promises: promises, uploads: uploads), held: enqueued)
    }

    /// Releases what was held when the handler answered below 400, and cancels it otherwise.
    ///
    /// - Parameter status: What the handler answered; `nil` when it threw.
    public func finish(_ form: TakenForm, status: HTTPResponse.Status?, logger: Logger) async {
        guard !form.held.isEmpty else { return }
        if let status, status.code < 400 {
            await self.release(form.held, logger: logger)
        } else {
            await self.cancel(form.held, logger: logger)
        }
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

    private func collect(
        _ body: some AsyncSequence<ByteBuffer, any Error> & Sendable,
        of request: HTTPRequest
    ) async throws -> ByteBuffer {
        let tooLarge = FormBodyError(
            code: .tooLarge,
            message: "The form is larger than \(self.limits.bytes) bytes. Send less text."
        )
        if let length = request.headerFields[.contentLength].flatMap({ Int($0) }), length > self.limits.bytes {
            throw tooLarge
        }
        do {
            return try await body.collect(upTo: self.limits.bytes)
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

/// A form for the handler.
public struct TakenForm: Sendable {
    /// The bytes as they came.
    public let body: ByteBuffer
    /// What it brought.
    public let uploads: FormUploads
    let held: [Upload]
}
