public import struct Foundation.Date
public import struct Foundation.UUID

/// The durable record of one file: what was promised, where it goes, and how far it is.
public struct Upload: Sendable, Identifiable, Hashable {
    /// Bytes copied so far, of the total.
    public struct Progress: Sendable, Hashable, Codable {
        /// Bytes that lie at the destination so far.
        public var copied: Int64
        /// Bytes of the file.
        public var total: Int64
    }

    /// The last error, also while a further attempt is due.
    public struct Failure: Sendable, Hashable, Codable {
        /// A stable code such as `source_changed` or S3's own `AccessDenied`.
        public var code: String
        /// A sentence.
        public var message: String
        /// Whether another attempt may help.
        public var retryable: Bool

        /// An error by its code and sentence.
        public init(code: String, message: String, retryable: Bool) {
            self.code = code
            self.message = message
            self.retryable = retryable
        }
    }

    /// A UUIDv7.
    public var id: UUID
    /// Where it stands.
    public var status: UploadStatus
    /// The field of the form.
    public var field: String
    /// Whose it is, as the app said. Not part of the status JSON.
    public var owner: String?
    /// The person's own name for the file, byte for byte.
    public var filename: String
    /// Bytes.
    public var size: Int64
    /// The type that the browser declared and the field accepted.
    public var contentType: String
    /// The bucket of the stored file.
    public var bucket: String
    /// The key of the stored file: reserved when enqueued, the same in every attempt.
    public var key: String?
    /// How many attempts were begun.
    public var attempt: Int
    /// After how many it is given up.
    public var maxAttempts: Int
    /// How much of it is copied.
    public var progress: Progress
    /// What went wrong last; `nil` when nothing did.
    public var error: Failure?
    /// When it was enqueued.
    public var createdAt: Date
    /// When its record last changed, or its latest attempt began.
    public var updatedAt: Date
    /// When it was stored; `nil` unless it is.
    public var storedAt: Date?
}
