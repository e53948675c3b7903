import HTTPTypes
import NIOCore
import Postgres
import S3File
import S3FileHTTP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ServiceEndpoints {
    /// What a form brought, or the answer to one that cannot be taken.
    enum Taken {
        case taken(FormUploads)
        case refused(HTTPAnswer)
    }

    /// Verifies a form as the middleware of a Swift app does: by ``FormIntake``, and nothing is enqueued.
    func take(_ form: PostedForm, _ fields: [UploadField], _ subject: String?, _ request: ServiceRequest) async throws -> Taken {
        let outcome = try await self.intake(fields).take(
            Self.head(of: request),
            body: OneBuffer(buffer: form.body),
            subject: { subject },
            logger: request.logger
        )
        switch outcome {
        case .taken(let form): return .taken(form.uploads)
        case .refused(let answer): return .refused(answer)
        case .notAForm: return .taken(FormUploads())
        }
    }

    /// Of the form as if it had been posted here; in the app's trace, when it is traced. <https://www.w3.org/TR/trace-context/>
    private static func head(of request: ServiceRequest) -> HTTPRequest {
        var headers: HTTPFields = [.contentType: PostedForm.contentType]
        for name in ["traceparent", "tracestate"].compactMap({ HTTPField.Name($0) }) { headers[name] = request.headers[name] }
        return HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/v1/forms", headerFields: headers)
    }

    private func intake(_ fields: [UploadField]) -> FormIntake {
        var intake = FormIntake(uploads: self.uploads, fields: fields, mode: .manual, withoutScript: .refused)
        // By S3FILE_API_REQUESTS already.
        intake.isBounded = false
        return intake
    }

    /// `POST v1/forms`: verifies a posted form, and does with its files what `mode` says.
    func form(_ request: ServiceRequest) async throws -> HTTPAnswer {
        let asked = try FormRequest(request)
        let fields = try asked.fields.map { name throws(Problem) in try self.field(name, request.key) }
        let form: FormUploads
        switch try await self.take(asked.form, fields, asked.subject, request) {
        case .taken(let taken): form = taken
        case .refused(let answer): return answer
        }
        let promises = fields.flatMap { form.promises[$0.name] ?? [] }
        guard asked.mode != .verify else {
            return try .json(VerifiedForm(files: promises.map(VerifiedFile.init)))
        }
        let enqueued: [Upload]
        do {
            enqueued = try await self.uploads.enqueue(
                promises,
                hold: asked.hold,
                metadata: asked.metadata,
                placement: asked.placement
            )
        } catch {
            if let problem = Self.problem(of: asked, refusedBy: error.underlying as? PostgresError) { throw problem }
            return self.intake(fields).refusal(error, to: Self.head(of: request), logger: request.logger)
        }
        return try await self.list(enqueued, prefix: #""files":[],"#)
    }

    /// What the record refuses of the app, and not of the person whose form it is; by SQLSTATE.
    private static func problem(of asked: FormRequest, refusedBy error: PostgresError?) -> Problem? {
        switch error?.sqlState {
        case "23503":
            Problem(
                status: .unprocessableContent,
                code: "unknown_queue",
                detail: "There is no queue \"\(asked.placement.queue)\". Create it by s3file.set_queue(), or correct the name."
            )
        // The domain's rule; and numbers that it cannot hold.
        case "23514" where asked.metadata != nil, "22003" where asked.metadata != nil:
            Problem(
                status: .unprocessableContent,
                code: "invalid_metadata",
                detail:
                    "metadata takes at most \(FormRequest.mostMetadata) bytes as Postgres writes them, with a space after each comma and colon, and numbers at length. Send less."
            )
        default: nil
        }
    }
}

/// What `POST v1/forms` asks for.
private struct FormRequest {
    enum Mode: String, CaseIterable {
        /// Enqueued, and taken by a worker at once.
        case enqueue
        /// Enqueued, and left alone until it is released, cancelled, or the hold runs out.
        case hold
        /// Verified only: the app enqueues by SQL, in a transaction of its own.
        case verify
    }

    /// As ``FormIntake/Mode/held`` has it, unless it is said.
    static let usualHold: Int64 = 60
    static let longestHold: Int64 = 3_600
    static let mostFields = 16
    /// As `s3file.metadata` has it.
    static let mostMetadata = 8_192

    var fields: [String]
    var subject: String?
    var form: PostedForm
    var mode: Mode
    /// `nil` unless ``mode`` is to hold.
    var hold: Duration?
    var metadata: String?
    var placement: QueuePlacement

    init(_ request: ServiceRequest) throws(Problem) {
        self = try request.read(
            members: ["fields", "subject", "form", "mode", "holdSeconds", "metadata", "queue", "priority", "maxAttempts"]
        ) { reading, object throws(Problem) in FormRequest(object, &reading) }
    }

    private init?(_ object: JSONReading.Object, _ reading: inout JSONReading) {
        if object.members["fields"] == nil {
            reading.blame(object, "fields", "it is missing: the names of the form's file fields")
        }
        var fields: [String] = []
        for (index, entry) in (reading.list(object, "fields", count: 1...Self.mostFields) ?? []).enumerated() {
            guard let name = reading.text(entry, at: "fields[\(index)]", bytes: 1...64) else { continue }
            if fields.contains(name) { reading.blame(entry, "fields[\(index)]", "it is there twice") }
            fields.append(name)
        }
        let subject = reading.subject(object)
        let form = reading.form(object)
        let word = reading.requiredText(object, "mode", bytes: 1...16)
        let mode = word.flatMap(Mode.init)
        if word != nil, mode == nil {
            reading.blame(object, "mode", "it must be \(Mode.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let seconds = reading.integer(object, "holdSeconds", in: 1...Self.longestHold)
        if let mode {
            let meaningless =
                switch mode {
                case .enqueue: ["holdSeconds"]
                case .hold: [String]()
                case .verify: ["holdSeconds", "metadata", "queue", "priority", "maxAttempts"]
                }
            for name in meaningless where object.members[name] != nil {
                reading.blame(object, name, "it says nothing with the mode \(mode.rawValue): leave it out")
            }
        }
        let metadata = Self.metadata(object, &reading)
        let queue = Self.queue(object, &reading)
        let priority = reading.integer(object, "priority", in: Int64(Int16.min)...Int64(Int16.max)) ?? 0
        let attempts = reading.integer(object, "maxAttempts", in: 1...100) ?? 12
        guard let form, let mode else { return nil }
        self.fields = fields
        self.subject = subject
        self.form = form
        self.mode = mode
        self.hold = mode == .hold ? .seconds(seconds ?? Self.usualHold) : nil
        self.metadata = metadata
        self.placement = QueuePlacement(queue: queue, priority: Int16(clamping: priority), maxAttempts: Int16(clamping: attempts))
    }

    /// Its bytes as they came: numbers keep their digits.
    private static func metadata(_ object: JSONReading.Object, _ reading: inout JSONReading) -> String? {
        guard let json = object.members["metadata"] else { return nil }
        guard case .object = json.value, json.source.count <= Self.mostMetadata else {
            reading.blame(object, "metadata", "it must be an object of at most \(Self.mostMetadata) bytes")
            return nil
        }
        return String(decoding: json.source, as: UTF8.self)
    }

    private static func queue(_ object: JSONReading.Object, _ reading: inout JSONReading) -> String {
        guard let name = reading.text(object, "queue", bytes: 1...64) else { return QueuePlacement().queue }
        if name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}/) == nil {
            reading.blame(
                object,
                "queue",
                "it cannot be a queue's name; use 1 to 64 of a-z A-Z 0-9 _ . -, a letter or digit first"
            )
        }
        return name
    }
}

private struct VerifiedForm: Encodable {
    var files: [VerifiedFile]
    /// None yet.
    var uploads: [String] = []
}

/// A file that was verified and is not enqueued.
private struct VerifiedFile: Encodable {
    /// The arguments of `s3file.enqueue`, by the names that it has.
    struct Arguments: Encodable {
        var promise: UploadPromise

        private enum CodingKeys: String, CodingKey {
            case bucket, tmp_bucket, tmp_key, etag, version_id, size, key, content_type, filename, field, owner, upload_id
        }

        /// All of them, also those that are null.
        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(self.promise.bucket, forKey: .bucket)
            try values.encode(self.promise.tmpBucket, forKey: .tmp_bucket)
            try values.encode(self.promise.tmpKey, forKey: .tmp_key)
            try values.encode(self.promise.etag, forKey: .etag)
            try values.encode(self.promise.versionID, forKey: .version_id)
            try values.encode(self.promise.size, forKey: .size)
            try values.encode(self.promise.requestedKey, forKey: .key)
            try values.encode(self.promise.contentType, forKey: .content_type)
            try values.encode(self.promise.filename, forKey: .filename)
            try values.encode(self.promise.field, forKey: .field)
            try values.encode(self.promise.owner, forKey: .owner)
            try values.encode(self.promise.id.uuidString.lowercased(), forKey: .upload_id)
        }
    }

    var field: String
    var filename: String
    var size: Int64
    var contentType: String
    var arguments: Arguments
    /// For `s3file.store_as`; absent when the field says nothing of it.
    var storage: StorageSettings?

    init(_ promise: UploadPromise) {
        self.field = promise.field
        self.filename = promise.filename
        self.size = promise.size
        self.contentType = promise.contentType
        self.arguments = Arguments(promise: promise)
        self.storage = promise.storage
    }
}

/// A body that is known at once.
private struct OneBuffer: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let buffer: ByteBuffer

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(buffer: self.buffer) }

    struct AsyncIterator: AsyncIteratorProtocol {
        var buffer: ByteBuffer?

        mutating func next() async -> ByteBuffer? {
            defer { self.buffer = nil }
            return self.buffer
        }
    }
}
