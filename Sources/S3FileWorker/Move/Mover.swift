import Foundation
import NIOCore
import S3
import S3File

/// Copies one verified tmp object to its reserved key, exactly once, and says how it ended. Deleting the tmp object is not its business:
/// that comes after the record says stored.
///
/// Other bytes are kept out by ``SourceProof``. The destination carries the upload's id, so that a repeated attempt recognises its own work,
/// and nobody else's is overwritten.
struct Mover: Sendable {
    /// The stamp on every stored object: `x-amz-meta-s3file-upload`.
    static let stamp = "s3file-upload"

    let s3: S3Client
    let options: WorkerPool.Options
    let capabilities: S3Capabilities
    let attempt: Attempt

    private var job: Job { self.attempt.job }
    private var isInParts: Bool { self.job.size > self.options.copyLimit }

    /// Never throws: whatever happens is an outcome that the queue records.
    func move() async -> Outcome {
        do {
            return try await self.copy()
        } catch let ended as Ended {
            return ended.outcome
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

    private func copy() async throws -> Outcome {
        // The first attempt needs no look where the store itself overwrites nothing.
        let isFenced = self.isInParts ? self.capabilities.completeIfNoneMatch : self.capabilities.copyIfNoneMatch
        if self.job.attempt > 1 || !isFenced, let found = try await self.lookUpDestination(inParts: self.isInParts),
            found != .unproved
        {
            return found
        }
        do {
            return try await self.copy(inParts: self.isInParts)
        } catch let error as S3Error where error.code == .entityTooLarge && !self.isInParts {
            // A store with a lower limit than we were told.
            return try await self.copy(inParts: true)
        }
    }

    private func copy(inParts: Bool) async throws -> Outcome {
        let proof = SourceProof(s3: self.s3, job: self.job, capabilities: self.capabilities, inParts: inParts)
        let content: StoredContent
        let copied: Copied
        do {
            content = try await self.content()
            copied =
                if inParts {
                    try await MultipartMove(mover: self, proof: proof, request: self.request(content)).run()
                } else {
                    try await self.copyWhole(self.request(content), proof)
                }
        } catch let error as S3Error {
            switch error.code {
            case .preconditionFailed, .notModified:
                // Either the tmp object changed or somebody was at the destination first: the destination tells which.
                return try await self.lookUpDestination(inParts: inParts) ?? .sourceChanged
            case .noSuchKey, .notFound, .noSuchVersion:
                return try await self.lookUpDestination(inParts: inParts) ?? .sourceMissing
            case .noSuchUpload:
                // Completed by somebody, or given up; the next attempt begins a new one.
                let again = Outcome.retry(code: error.code.rawValue, message: error.message, delay: .seconds(1))
                return try await self.lookUpDestination(inParts: inParts) ?? again
            case _ where error.isOutcomeUnknown:
                return try await self.lookUpDestination(inParts: inParts) ?? Self.outcome(of: error)
            default:
                throw error
            }
        }
        return try await self.confirm(copied, proof, contentType: content.changedType)
    }

    /// A copy that the store said is made.
    struct Copied: Sendable {
        var etag: String
        var versionID: String?
        var checksum: String?
        /// The source before, where its guarantee does not stand by itself.
        var before: S3ObjectHead?
    }

    private func copyWhole(_ request: S3CopyRequest, _ proof: SourceProof) async throws -> Copied {
        let before = proof.standing == nil ? try await proof.source() : nil
        try await self.attempt.checkLease()
        let copy = try await self.s3.copyObject(request)
        return Copied(etag: copy.etag, versionID: copy.versionID, before: before)
    }

    /// Stored, if the copy is proved; otherwise it does not stay.
    private func confirm(_ copied: Copied, _ proof: SourceProof, contentType: String?) async throws -> Outcome {
        let verdict: Outcome
        do {
            if let guarantee = try await proof.guarantee(
                copyETag: copied.etag,
                checksum: copied.checksum,
                before: copied.before
            ) {
                return .stored(etag: copied.etag, versionID: copied.versionID, guarantee: guarantee, contentType: contentType)
            }
            verdict = .unproved
        } catch let ended as Ended {
            verdict = ended.outcome
        }
        try await self.removeCopy(etag: copied.etag, versionID: copied.versionID)
        return verdict
    }

    private func removeCopy(etag: String, versionID: String?) async throws {
        try await self.attempt.checkLease()
        do {
            try await self.s3.deleteObject(
                bucket: self.job.bucket,
                key: self.job.key,
                versionID: versionID,
                ifMatch: self.capabilities.deleteIfMatch && versionID == nil ? etag : nil
            )
        } catch let error as S3Error where error.code == .preconditionFailed {
            // Another object lies there by now; ours is gone.
        }
    }

    /// What lies at the destination: our own work, somebody else's object, or nothing (`nil`).
    private func lookUpDestination(inParts: Bool) async throws -> Outcome? {
        let head: S3ObjectHead
        do {
            head = try await self.s3.headObject(bucket: self.job.bucket, key: self.job.key)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return nil
        }
        guard head.metadata[Self.stamp] == self.job.id.uuidString.lowercased() else { return .destinationExists }
        // Ours, from an attempt whose answer was lost; but only the verified bytes count, and what it saw before its copy is not known.
        let proof = SourceProof(s3: self.s3, job: self.job, capabilities: self.capabilities, inParts: inParts)
        if head.size == self.job.size, let guarantee = try await proof.guarantee(copyETag: head.etag, before: nil) {
            return .stored(etag: head.etag, versionID: head.versionID, guarantee: guarantee, contentType: self.changedType(head))
        }
        try await self.removeCopy(etag: head.etag, versionID: head.versionID)
        return .unproved
    }

    /// The type that a stored object has, if it is not the one that was declared for it.
    private func changedType(_ head: S3ObjectHead) -> String? {
        let declared = StoredContent(type: self.job.contentType, filename: self.job.filename)
        return head.contentType == declared.contentType ? nil : head.contentType
    }

    /// What the object will be served as. The first bytes are asked where the app said what is accepted.
    private func content() async throws -> StoredContent {
        guard let accept = self.job.storage?.accept, !accept.isEmpty else {
            return StoredContent(type: self.job.contentType, filename: self.job.filename)
        }
        var bytes: [UInt8] = []
        if self.job.size > 0 {
            let body = try await self.s3.getObject(
                bucket: self.job.tmpBucket,
                key: self.job.tmpKey,
                versionID: self.job.versionID,
                range: 0...(min(self.job.size, Int64(ContentType.sniffedBytes)) - 1),
                ifMatch: self.job.etag
            )
            for try await buffer in body { bytes += buffer.readableBytesView }
        }
        let type = ContentType.told(by: bytes, declared: self.job.contentType)
        guard AcceptedType.list(accept, accepts: type, bytes: bytes, filename: self.job.filename) else {
            throw Ended(.wrongType(type, accept))
        }
        return StoredContent(type: type, filename: self.job.filename, declared: self.job.contentType)
    }

    private func request(_ content: StoredContent) -> S3CopyRequest {
        S3CopyRequest(
            sourceBucket: self.job.tmpBucket,
            sourceKey: self.job.tmpKey,
            sourceVersionID: self.job.versionID,
            sourceIfMatch: self.job.etag,
            bucket: self.job.bucket,
            key: self.job.key,
            attributes: content.attributes(
                self.job.storage ?? StorageSettings(),
                stamp: (Self.stamp, self.job.id.uuidString.lowercased())
            ),
            ifNoneMatch: self.capabilities.copyIfNoneMatch
        )
    }

    // MARK: Outcomes

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
