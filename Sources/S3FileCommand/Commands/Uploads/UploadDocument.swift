import Foundation
import S3File

/// An upload as `--json` tells it: what the status API says, and what only its operator may know.
struct UploadDocument: Encodable {
    var id: String
    var status: UploadStatus
    var field: String
    var owner: String?
    var filename: String
    var size: Int64
    var contentType: String
    var bucket: String
    var key: String?
    var queue: String
    var attempt: Int
    var maxAttempts: Int
    var nextAttemptAt: Date?
    var cancelRequested: Bool
    var progress: Upload.Progress
    var error: Upload.Failure?
    var createdAt: Date
    var updatedAt: Date
    var storedAt: Date?

    init(_ queued: QueuedUpload) {
        let upload = queued.upload
        self.id = upload.id.text
        self.status = upload.status
        self.field = upload.field
        self.owner = upload.owner
        self.filename = upload.filename
        self.size = upload.size
        self.contentType = upload.contentType
        self.bucket = upload.bucket
        self.key = upload.key
        self.queue = queued.queue
        self.attempt = upload.attempt
        self.maxAttempts = upload.maxAttempts
        self.nextAttemptAt = queued.nextAttemptAt
        self.cancelRequested = queued.cancelRequested
        self.progress = upload.progress
        self.error = upload.error
        self.createdAt = upload.createdAt
        self.updatedAt = upload.updatedAt
        self.storedAt = upload.storedAt
    }
}
