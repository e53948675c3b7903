import Foundation
import S3
import S3File

/// Copies one verified tmp object to its reserved key, exactly once, and says how it ended. Deleting the tmp object is not its business:
/// that comes after the record says stored.
///
/// Three fences keep other bytes out: the copy carries the verified ETag as a source condition; where a store ignores that condition, the
/// ETag of the copy itself shows it; and the destination carries the upload's id, so that a repeated attempt recognises its own work and
/// nobody else's is overwritten.
struct Mover: Sendable {
    /// The stamp on every stored object: `x-amz-meta-s3file-upload`.
    static let stamp = "s3file-upload"

    let s3: S3Client
    let options: WorkerPool.Options
    /// Called before each request: a worker whose lease may have run out starts none. Returns when it is certain again; throws when it is lost.
    let checkLease: @Sendable () async throws -> Void
    let progress: @Sendable (Job, Int64) async -> Void

    /// Never throws: whatever happens is an outcome that the queue records.
    func move(_ job: Job) async -> Outcome {
        do {
            return try await self.attempt(job)
        } catch is CancellationError {
            return .givenBack
        } catch is LeaseLost {
            return .givenBack  // Nobody will be told.
        } catch let error as S3Error {
            return Task.isCancelled ? .givenBack : Self.outcome(of: error)
        } catch {
            return Task.isCancelled ? .givenBack : .retry(code: "internal_error", message: "\(error)", delay: nil)
        }
    }

    private func attempt(_ job: Job) async throws -> Outcome {
        if let done = try await self.lookUpDestination(job) { return done }
        try await self.checkLease()
        let copied: (etag: String, versionID: String?)
        do {
            if job.size > self.options.copyLimit {
                copied = try await MultipartMove(mover: self, job: job).run()
            } else {
                let copy = try await self.s3.copyObject(self.copyRequest(for: job))
                copied = (copy.etag, copy.versionID)
            }
        } catch let error as S3Error {
            switch error.code {
            case .preconditionFailed, .notModified:
                // Either the tmp object changed or somebody was at the destination first: the destination tells which.
                return try await self.lookUpDestination(job) ?? Self.sourceChanged
            case .noSuchKey, .notFound:
                return try await self.lookUpDestination(job) ?? Self.sourceMissing
            case _ where error.isOutcomeUnknown:
                return try await self.lookUpDestination(job) ?? Self.outcome(of: error)
            default:
                throw error
            }
        }
        return try await self.confirm(etag: copied.etag, versionID: copied.versionID, of: job)
    }

    /// A copy keeps the ETag of an object that was posted in one piece, so an equal ETag proves the bytes. An unequal one proves nothing
    /// (multipart, KMS): then the source must still be the verified object, or else the copy is not kept.
    private func confirm(etag: String, versionID: String?, of job: Job) async throws -> Outcome {
        if S3ObjectHead.isSameETag(etag, job.etag) { return .stored(etag: etag, versionID: versionID) }
        try await self.checkLease()
        do {
            let source = try await self.s3.headObject(bucket: job.tmpBucket, key: job.tmpKey, versionID: job.versionID)
            if S3ObjectHead.isSameETag(source.etag, job.etag), source.size == job.size {
                return .stored(etag: etag, versionID: versionID)
            }
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            // Gone: then nothing vouches for what was copied.
        }
        try await self.checkLease()
        try await self.s3.deleteObject(bucket: job.bucket, key: job.key, versionID: versionID)
        return Self.sourceChanged
    }

    /// What lies at the destination: our own work, somebody else's object, or nothing (`nil`).
    func lookUpDestination(_ job: Job) async throws -> Outcome? {
        try await self.checkLease()
        let head: S3ObjectHead
        do {
            head = try await self.s3.headObject(bucket: job.bucket, key: job.key)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return nil
        }
        guard head.metadata[Self.stamp] == job.id.uuidString.lowercased() else {
            return .failed(
                code: "destination_exists",
                message:
                    "Another object lies at the destination key, and nothing is overwritten. Remove it, or upload the file again."
            )
        }
        // Ours, from an attempt whose answer was lost; but only the verified bytes count.
        if S3ObjectHead.isSameETag(head.etag, job.etag) || (job.size > self.options.copyLimit && head.size == job.size) {
            return .stored(etag: head.etag, versionID: head.versionID)
        }
        return try await self.confirm(etag: head.etag, versionID: head.versionID, of: job)
    }

    func copyRequest(for job: Job) -> S3CopyRequest {
        let content = StoredContent(declaredType: job.contentType, filename: job.filename)
        return S3CopyRequest(
            sourceBucket: job.tmpBucket,
            sourceKey: job.tmpKey,
            sourceVersionID: job.versionID,
            sourceIfMatch: job.etag,
            bucket: job.bucket,
            key: job.key,
            attributes: S3ObjectAttributes(
                contentType: content.contentType,
                contentDisposition: content.contentDisposition,
                metadata: [Self.stamp: job.id.uuidString.lowercased()]
            ),
            ifNoneMatch: true
        )
    }

    // MARK: Outcomes

    static let sourceChanged = Outcome.failed(
        code: "source_changed",
        message: "The uploaded file was replaced after it had been checked, so it was not stored. Upload it again."
    )
    static let sourceMissing = Outcome.failed(
        code: "source_missing",
        message: "The uploaded file is no longer there, so it could not be stored. Upload it again."
    )

    /// What says nothing of the file, and everything of the settings.
    private static let refusals: Set<S3Error.Code> = [
        .accessDenied, .invalidAccessKeyID, .signatureDoesNotMatch, .expiredToken, .requestTimeTooSkewed, .noSuchBucket,
        .configuration,
    ]

    static func outcome(of error: S3Error) -> Outcome {
        let message = error.message.isEmpty ? "S3 answered \(error.code)." : error.message
        if error.status == 403 || Self.refusals.contains(error.code) {
            return .parked(code: (error.cause ?? error.code).rawValue, message: message)
        }
        return error.retryable
            ? .retry(code: (error.cause ?? error.code).rawValue, message: message, delay: error.retryAfter)
            : .failed(code: error.code.rawValue, message: message)
    }
}
