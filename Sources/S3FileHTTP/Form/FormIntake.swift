public import HTTPTypes
public import Logging
public import NIOCore
import S3
public import S3File
import Tracing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

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

    /// What becomes of a form that brings its files itself: browsers post `multipart/form-data` so where the page's script does not run.
    public struct WithoutScript: Sendable, Hashable {
        let isStreamed: Bool

        /// The files are streamed to S3 through this process, in constant memory and under the same limits, and become the same uploads. At
        /// most `S3FILE_STREAMED_FORMS` forms do so at a time.
        public static var streamed: WithoutScript { WithoutScript(isStreamed: true) }
        /// It is refused, with the request to switch JavaScript on.
        public static var refused: WithoutScript { WithoutScript(isStreamed: false) }
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
    private let withoutScript: WithoutScript
    private let metrics: FormMetrics
    /// Whether `S3FILE_WEB_REQUESTS` bounds how many forms are taken at a time; not where somebody else bounds it.
    package var isBounded = true

    /// - Parameters:
    ///   - uploads: The uploads of the app.
    ///   - fields: The fields of the form. A form that brings another is refused.
    ///   - mode: When a verified file becomes a job.
    ///   - limits: What the form may cost; its files do not count, as they are in S3, or on their way there.
    ///   - withoutScript: What becomes of a form that brings its files itself.
    public init(
        uploads: Uploads,
        fields: [UploadField],
        mode: Mode = .held,
        limits: FormBody.Limits = FormBody.Limits(),
        withoutScript: WithoutScript = .streamed
    ) {
        self.uploads = uploads
        self.fields = fields
        self.mode = mode
        self.limits = limits
        self.withoutScript = withoutScript
        self.metrics = FormMetrics(factory: uploads.metrics.factory)
    }

    /// Reads and verifies a form, and enqueues its files as ``Mode`` says.
    ///
    /// - Parameters:
    ///   - request: Its head.
    ///   - body: Read once, and only if the request is a form.
    ///   - subject: The user or session the page was drawn for; asked for only if the request is a form, and before its body is read.
    ///   - logger: That of the request.
    /// - Throws: What `subject` or `body` throws.
    public func take<Body: AsyncSequence & Sendable>(
        _ request: HTTPRequest,
        body: Body,
        subject: () async throws -> String?,
        logger: Logger
    ) async throws -> Outcome where Body.Element == ByteBuffer, Body.AsyncIterator: SendableMetatype {
        guard [.post, .put, .patch].contains(request.method),
            let contentType = request.headerFields[.contentType], FormBody.canParse(contentType: contentType)
        else {
            return .notAForm
        }
        let start = ContinuousClock.now
        let traceparent = FormMetrics.traceparent.flatMap { request.headerFields[$0] }
        do {
            let taken = try await Traceparent.withReceived(traceparent) {
                try await self.uploads.spans.withSpan("s3file.form") { span in
                    let subject = try await subject()
                    // Before it is read, which would be in vain. Its place it takes only then: who sends slowly shall hold none.
                    if self.isBounded, self.uploads.formPlaces.isFull { throw self.busy() }
                    let read = try await self.read(body, of: request, contentType, subject)
                    let taken = try await self.inPlace(read) { try await self.take(read, subject: subject) }
                    span?.attributes["s3file.files"] = taken.uploads.promises.values.reduce(0) { $0 + $1.count }
                    return taken
                }
            }
            self.metrics.took(taken, since: start)
            return .taken(taken)
        } catch {
            guard let problem = Problem(refusing: error) else { throw error }
            self.metrics.ended(since: start)
            return .refused(self.refusal(problem, request, logger))
        }
    }

    /// The answer to a form that the handler refuses by throwing an `UploadError`, as `Uploads.enqueue` does.
    public func refusal(_ error: UploadError, to request: HTTPRequest, logger: Logger) -> HTTPAnswer {
        self.refusal(Problem(error), request, logger)
    }

    private func refusal(_ problem: Problem, _ request: HTTPRequest, _ logger: Logger) -> HTTPAnswer {
        var problem = problem
        let instance = "urn:uuid:\(UUID.version7().uuidString.lowercased())"
        problem.instance = instance
        self.metrics.refused(problem)
        logger.info(
            "Refused the files of a form",
            metadata: [
                "s3file.error": "\(problem.code)", "s3file.field": "\(problem.field ?? "")", "s3file.instance": "\(instance)",
                "s3file.underlying": "\(problem.underlying.map { "\($0)" } ?? "")",
            ]
        )
        return problem.answer(to: request, paths: self.uploads.paths)
    }

    // MARK: Places

    /// A form that has brought its files through this process had a place among those that do; it is not sent back with them.
    private func inPlace<R>(_ read: ReadForm, _ take: () async throws -> R) async throws -> R {
        guard self.isBounded else { return try await take() }
        guard self.uploads.formPlaces.take(anyway: !read.stored.isEmpty) else { throw self.busy() }
        defer { self.uploads.formPlaces.giveBack() }
        return try await take()
    }

    private func busy() -> UploadError {
        self.uploads.formPlaces.metrics.refused()
        return UploadError(.busy, message: "Too many forms are on their way just now. Send the form again in a moment.")
    }

    private func take(_ read: ReadForm, subject: String?) async throws -> TakenForm {
        let promises: [String: [UploadPromise]]
        do {
            promises = try await self.uploads.verify(read.form, fields: self.fields, subject: subject)
        } catch {
            await self.uploads.discard(read.stored)
            throw error
        }
        // By field as declared, so that the order does not hang on a dictionary.
        let ordered = self.fields.flatMap { promises[$0.name] ?? [] }
        guard let hold = self.mode.hold, !ordered.isEmpty else {
            return TakenForm(body: read.body, uploads: FormUploads(form: read.form, promises: promises, uploads: []), held: [])
        }
        let enqueued: [Upload]
        do {
            enqueued = try await self.uploads.enqueue(ordered, hold: hold)
        } catch {
            // Whatever else it is, the files may be on record: they are for the sweep then.
            if [.claimedByAnother, .replaced, .expired].contains(error.code) { await self.uploads.discard(read.stored) }
            throw error
        }
        let uploads = zip(enqueued, ordered).map { upload, promise in
            FormUpload(upload: upload, statusToken: self.uploads.statusToken(for: upload.id), promise: promise)
        }
        return TakenForm(
            body: read.body,
            uploads: FormUploads(form: read.form, promises: promises, uploads: uploads),
            held: enqueued
        )
    }

    /// Releases what was held when the handler answered below 400, and cancels it otherwise.
    ///
    /// - Parameters:
    ///   - form: What ``take(_:body:subject:logger:)`` gave.
    ///   - status: What the handler answered; `nil` when it threw.
    ///   - logger: Told when the record cannot be reached; the hold then runs out, and the files are stored.
    public func finish(_ form: TakenForm, status: HTTPResponse.Status?, logger: Logger) async {
        guard !form.held.isEmpty else { return }
        if let status, status.code < 400 {
            await self.release(form.held, logger: logger)
        } else {
            self.metrics.withdrew()
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

    private func read<Body: AsyncSequence & Sendable>(
        _ body: Body,
        of request: HTTPRequest,
        _ contentType: String,
        _ subject: String?
    ) async throws -> ReadForm where Body.Element == ByteBuffer, Body.AsyncIterator: SendableMetatype {
        let multipart = try? MultipartBoundary(contentType: contentType)
        let boundary = self.withoutScript.isStreamed ? multipart : nil
        // A multipart form that long has files.
        let tooLong: any Error = multipart == nil ? FormBodyError.tooLarge(limits: self.limits) : Problem.scriptRequired()
        // What cannot be taken whatever is in it is refused before it is read.
        let length = request.headerFields[.contentLength].flatMap { Int64($0) } ?? 0
        if boundary == nil, length > Int64(self.limits.bytes) { throw tooLong }
        guard length <= self.largestStreamed else {
            throw FormBodyError(
                code: .tooLarge,
                message: "The form is larger than all the files that it takes. Choose fewer or smaller files."
            )
        }
        // A ticket that the form gets on its way must live until it is verified.
        let longest = self.uploads.configuration.ticketLifetime * 3 / 4
        return try await Pace.watching(self.limits, longest: longest) { pace in
            let body = PacedBody(base: body, pace: pace)
            let read: ReadForm
            if let boundary {
                let form = StreamedForm(
                    uploads: self.uploads,
                    fields: self.fields,
                    limits: self.limits,
                    subject: subject,
                    isCrossSite: request.isCrossSite,
                    pace: pace
                )
                read = try await form.read(body, boundary: boundary)
            } else {
                let body = try await self.collect(body, orThrow: tooLong)
                read = ReadForm(form: try FormBody.parse(body, contentType: contentType, limits: self.limits), body: body)
            }
            do {
                try self.refuseFilesWithoutScript(read.form)
            } catch {
                await self.uploads.discard(read.stored)
                throw error
            }
            return read
        }
    }

    /// Bytes of a form with as many files, as large, as its fields take.
    private var largestStreamed: Int64 {
        let headers = Int64(self.limits.fields) * 17_000
        return self.fields.reduce(Int64(self.limits.bytes) + headers) { sum, field in
            let (bytes, overflow) = field.largestStreamed.bytes.multipliedReportingOverflow(by: Int64(field.maximumCount))
            let (total, carry) = sum.addingReportingOverflow(bytes)
            return overflow || carry ? .max : total
        }
    }

    private func collect<Body: AsyncSequence & Sendable>(_ body: Body, orThrow tooLong: any Error) async throws -> ByteBuffer
    where Body.Element == ByteBuffer {
        do {
            return try await body.collect(upTo: self.limits.bytes)
        } catch is NIOTooManyBytesError {
            throw tooLong
        }
    }

    /// A form without the script, and without `enctype="multipart/form-data"` or a stream: it has a file's name in place of a key.
    private func refuseFilesWithoutScript(_ form: FormBody) throws {
        let announced = Set(form.values(named: "s3file"))
        for field in self.fields {
            let part = form.fileParts.first { $0.name == field.name }
            let isBare = !announced.contains(field.name) && form.values(named: field.name).contains { !$0.isEmpty }
            guard part == nil, !isBare else {
                throw Problem.scriptRequired(field: field.name, filename: part?.filename)
            }
        }
    }
}

extension Problem {
    fileprivate static func scriptRequired(field: String? = nil, filename: String? = nil) -> Problem {
        Problem(
            status: .unprocessableContent,
            code: "script_required",
            detail:
                "The file was not uploaded, because the page's script did not run. Switch JavaScript on, reload the page and choose the file again.",
            field: field,
            filename: filename
        )
    }
}

extension FormBodyError {
    static func tooLarge(limits: FormBody.Limits) -> FormBodyError {
        FormBodyError(code: .tooLarge, message: "The form is larger than \(limits.bytes) bytes. Send less text.")
    }
}

/// A form for the handler.
public struct TakenForm: Sendable {
    /// The bytes as they came; of a multipart form its parts, where each file that was in it is replaced by what the script would have
    /// posted. Its length is not that of the request's header then.
    public let body: ByteBuffer
    /// What it brought.
    public let uploads: FormUploads
    let held: [Upload]
}
