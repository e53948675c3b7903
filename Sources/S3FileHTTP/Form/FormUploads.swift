public import S3File

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What a form brought, by field. A field that brought no file is empty.
public struct FormUploads: Sendable {
    /// All names and values of the form in their order, repeated names too. Reading it costs nothing, and refuses nothing: decoders of
    /// frameworks answer 500 to some forms that browsers may send.
    public let form: FormBody
    /// The verified claims, by field. In ``FormIntake/Mode/manual`` mode these are what the handler passes to `Uploads.enqueue`.
    public var promises: [String: [UploadPromise]]
    private var uploads: [String: [FormUpload]]

    /// A form without files.
    public init() {
        self.init(form: FormBody(), promises: [:], uploads: [])
    }

    init(form: FormBody, promises: [String: [UploadPromise]], uploads: [FormUpload]) {
        self.form = form
        self.promises = promises
        self.uploads = Dictionary(grouping: uploads, by: \.field)
    }

    /// The uploads of one field, in the order of the form.
    public subscript(field: String) -> [FormUpload] {
        self.uploads[field] ?? []
    }

    /// The uploads of all fields, those of one field in the order of the form.
    public var all: [FormUpload] {
        self.uploads.keys.sorted().flatMap { self[$0] }
    }
}

/// One file of a form: its record, whose id and key are final, so that a handler can store them in its own tables at once.
public struct FormUpload: Sendable, Identifiable {
    /// The record.
    public let upload: Upload
    /// Lets its holder read the status; hand it to nobody but the person whose file it is.
    public let statusToken: String
    /// The claim it was made of.
    public let promise: UploadPromise

    /// The id of the upload, a UUIDv7.
    public var id: UUID { self.upload.id }
    /// The field that brought it.
    public var field: String { self.upload.field }
    /// Where the file will be stored. Reserved: no later upload can take it.
    public var key: String? { self.upload.key }
    /// The person's own name for the file.
    public var filename: String { self.upload.filename }
    /// Bytes.
    public var size: Int64 { self.upload.size }
    /// The type that the browser declared and the field accepted.
    public var contentType: String { self.upload.contentType }

    /// All bytes of the file, as long as it waits: before the handler answers.
    public var body: UploadBody { self.promise.body }
    /// Some bytes of the file.
    public func body(_ range: some RangeExpression<Int64>) -> UploadBody { self.promise.body(range) }
}
