package import struct Foundation.Date
package import struct Foundation.UUID

/// An upload as a worker sees it: what to copy, from where, to where, and under which attempt.
package struct Job: Sendable, Equatable {
    package var id: UUID
    /// Counted at the claim. A settle under another attempt takes no effect.
    package var attempt: Int16
    package var maxAttempts: Int16
    package var filename: String
    package var contentType: String
    package var size: Int64
    package var tmpBucket: String
    package var tmpKey: String
    package var etag: String
    package var versionID: String?
    package var bucket: String
    package var key: String
    /// How it shall be stored, when the app said so.
    package var storage: StorageSettings?
    /// Its place in the queue when it was claimed.
    package var place: Lane
    /// Whether it came from a fair queue, which has no lanes.
    package var isFair: Bool
    /// The span under which it was enqueued.
    package var traceparent: Traceparent?

    package init(
        id: UUID,
        attempt: Int16,
        maxAttempts: Int16,
        filename: String,
        contentType: String,
        size: Int64,
        tmpBucket: String,
        tmpKey: String,
        etag: String,
        versionID: String?,
        bucket: String,
        key: String,
        storage: StorageSettings? = nil,
        place: Lane,
        isFair: Bool = false,
        traceparent: Traceparent? = nil
    ) {
        self.id = id
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.filename = filename
        self.contentType = contentType
        self.size = size
        self.tmpBucket = tmpBucket
        self.tmpKey = tmpKey
        self.etag = etag
        self.versionID = versionID
        self.bucket = bucket
        self.key = key
        self.storage = storage
        self.place = place
        self.isFair = isFair
        self.traceparent = traceparent
    }
}

/// Where a claim begins to read: one queue and priority, from one place on.
///
/// Rows that were claimed before stay in Postgres's index, dead, for as long as any transaction anywhere is open. A claim that knows where the
/// living begin does not read them again.
package struct Lane: Sendable, Equatable {
    package var queue: String
    package var priority: Int16
    package var runAt: Date
    package var uploadID: UUID

    package init(queue: String, priority: Int16, runAt: Date, uploadID: UUID) {
        self.queue = queue
        self.priority = priority
        self.runAt = runAt
        self.uploadID = uploadID
    }
}
