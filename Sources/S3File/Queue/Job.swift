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

    /// A claim's row as a job.
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
        key: String
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
    }
}
