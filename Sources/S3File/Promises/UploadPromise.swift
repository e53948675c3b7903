public import struct Foundation.Date
public import struct Foundation.UUID

/// A verified claim: this object, with this size, type, ETag and version, came with a valid ticket and is there.
///
/// What happens to it is the record's matter (``Upload``), from the moment that it is enqueued.
public struct UploadPromise: Sendable, Identifiable, Equatable {
    /// The id that the upload will have: a UUIDv7.
    public let id: UUID
    /// The form field.
    public let field: String
    /// Where the tmp object lies.
    public let tmpBucket: String
    /// Its key, byte for byte as posted and verified.
    public let tmpKey: String
    /// The person's own name for the file.
    public let filename: String
    /// Bytes, as S3 told them.
    public let size: Int64
    /// The type, as S3 told it.
    public let contentType: String
    /// As S3 sent it: the copy is fenced to it.
    public let etag: String
    /// In a bucket with versions.
    public let versionID: String?
    /// Whose it is, as the app says.
    public let owner: String?
    /// Where the file shall be stored.
    public let bucket: String
    /// The key it asks for. The record's ``Upload/key`` is the final one: if this one is taken, a suffix is added.
    public let requestedKey: String
    /// How it shall be stored, when the field says so.
    public let storage: StorageSettings?
    /// When the tmp object was made, by the store's clock, from which the sweep counts; `nil` when it was not looked at.
    package var tmpModifiedAt: Date?
    /// See ``body``.
    package var source = ByteSource(storage: nil)

    package init(
        id: UUID,
        field: String,
        tmpBucket: String,
        tmpKey: String,
        filename: String,
        size: Int64,
        contentType: String,
        etag: String,
        versionID: String?,
        owner: String?,
        bucket: String? = nil,
        requestedKey: String,
        storage: StorageSettings? = nil
    ) {
        self.id = id
        self.field = field
        self.tmpBucket = tmpBucket
        self.tmpKey = tmpKey
        self.filename = filename
        self.size = size
        self.contentType = contentType
        self.etag = etag
        self.versionID = versionID
        self.owner = owner
        self.bucket = bucket ?? tmpBucket
        self.requestedKey = requestedKey
        self.storage = storage
    }
}
