import Foundation
import Logging
import NIOCore
import Postgres
import S3
import S3File

/// Copies one verified tmp object to its reserved key, exactly once, and says how it ended. It deletes nothing: the tmp object goes after the
/// record says stored, and a copy that nobody wants with ``GivenUpCopies``.
///
/// Other bytes are kept out by ``SourceProof``. The destination carries a ``Stamp``, so that a repeated attempt recognises its own work, and
/// nobody else's is overwritten.
struct Mover: Sendable {
    let store: any MoveStore
    let options: WorkerPool.Options
    let capabilities: S3Capabilities
    let attempt: Attempt
    let clock: MoveClock

    private var job: Job { self.attempt.job }
    private var isInParts: Bool { self.job.size > self.options.copyLimit }

    init(s3: S3Client, options: WorkerPool.Options, capabilities: S3Capabilities, attempt: Attempt) {
        var s3 = s3
        // Also before a repetition, and after a wait for room: a worker whose lease may have run out sends nothing.
        s3.beforeEachAttempt = attempt.checkLease
        // What the client says of requests is said at debug: below that nobody pays for the names.
        if s3.logger.logLevel <= .debug { s3.logger = attempt.naming(s3.logger) }
        self.init(store: s3, options: options, capabilities: capabilities, attempt: attempt, clock: .continuous)
    }

    /// - Parameter store: asks ``Attempt/checkLease`` before each request.
    init(
        store: any MoveStore,
        options: WorkerPool.Options,
        capabilities: S3Capabilities,
        attempt: Attempt,
        clock: MoveClock
    ) {
        self.store = store
        self.options = options
        self.capabilities = capabilities
        self.attempt = attempt
        self.clock = clock
    }

    /// Whether there is something to ask before the copy.
    var asksFirst: Bool { self.looksFirst || self.sniffs }

    /// Asks it before its turn. What was asked in vain the move asks again, and says why.
    func prepare() async -> Preparation {
        let askedAt = self.clock.now()
        let found = self.looksFirst ? try? await self.lookUpDestination(inParts: self.isInParts) : nil
        var isEnded: Bool { if case .end = found { true } else { false } }
        let content = self.sniffs && !isEnded ? try? await self.content() : nil
        return Preparation(found: found, content: content, askedAt: askedAt)
    }

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
        } catch is PostgresError {
            return .givenBack  // The database is away, and that is not the file's fault.
        } catch let error as S3Error {
            return Task.isCancelled ? .givenBack : Self.outcome(of: error)
        } catch {
            return Task.isCancelled ? .givenBack : .retry(code: "internal_error", message: "\(error)", delay: nil)
        }
    }

    /// The first attempt needs no look where the store itself overwrites nothing.
    private var looksFirst: Bool {
        self.job.attempt > 1 || !(self.isInParts ? self.capabilities.completeIfNoneMatch : self.capabilities.copyIfNoneMatch)
    }

    private func copy() async throws -> Outcome {
        let content = self.attempt.preparation?.content
        let found =
            if let found = self.attempt.preparation?.found(now: self.clock.now()) {
                found
            } else {
                self.looksFirst ? try await self.lookUpDestination(inParts: self.isInParts) : .nothing
            }
        do {
            return try await self.copy(over: found, as: content, inParts: self.isInParts)
        } catch let error as S3Error where error.code == .entityTooLarge && !self.isInParts && self.job.size > 0 {
            // A store with a lower limit than we were told.
            return try await self.copy(over: self.lookUpDestination(inParts: true), as: content, inParts: true)
        }
    }

    private func copy(over found: Preparation.Found, as known: StoredContent?, inParts: Bool) async throws -> Outcome {
        if case .end(let outcome) = found { return outcome }
        let proof = SourceProof(store: self.store, job: self.job, capabilities: self.capabilities, inParts: inParts)
        let content: StoredContent
        let copied: Copied
        do {
            content = if let known { known } else { try await self.content() }
            let request = try self.request(content, proof, over: found, inParts: inParts)
            copied =
                if inParts {
                    try await MultipartMove(mover: self, proof: proof, request: request).run()
                } else {
                    try await self.copyWhole(request, proof)
                }
        } catch let error as S3Error {
            return try await self.outcome(of: error, proof, inParts: inParts)
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
        let copy = try await self.store.copyObject(request)
        return Copied(etag: copy.etag, versionID: copy.versionID, before: before)
    }

    /// Stored, if the copy is proved. Otherwise it stays for the next attempt, which finds it by its stamp and copies over it, or for the sweep: what
    /// is deleted here might, after this process was stopped for a while, be what the next attempt has stored.
    private func confirm(_ copied: Copied, _ proof: SourceProof, contentType: String?) async throws -> Outcome {
        guard let guarantee = try await proof.guarantee(copyETag: copied.etag, checksum: copied.checksum, before: copied.before)
        else { return .unproved }
        return .stored(etag: copied.etag, versionID: copied.versionID, guarantee: guarantee, contentType: contentType)
    }

    // MARK: The destination

    private func lookUpDestination(inParts: Bool) async throws -> Preparation.Found {
        let head: S3ObjectHead
        do {
            head = try await self.store.headObject(bucket: self.job.bucket, key: self.job.key, versionID: nil, checksum: false)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return .nothing
        }
        let proof = SourceProof(store: self.store, job: self.job, capabilities: self.capabilities, inParts: inParts)
        let stamp = try Stamp(self.job, standing: proof.standing)
        guard stamp.isOfUpload(head) else { return .end(.destinationExists) }
        // From an attempt whose answer was lost; what that saw before its copy is not known.
        guard
            stamp.isSame(head), head.size == self.job.size,
            let guarantee = try await proof.guarantee(copyETag: head.etag, before: nil)
        else { return .replaceable(head) }
        return .end(
            .stored(etag: head.etag, versionID: head.versionID, guarantee: guarantee, contentType: self.changedType(head))
        )
    }

    /// The type that a stored object has, if it is not the one that was declared for it.
    private func changedType(_ head: S3ObjectHead) -> String? {
        let declared = StoredContent(type: self.job.contentType, filename: self.job.filename)
        return head.contentType == declared.contentType ? nil : head.contentType
    }

    private var sniffs: Bool { self.job.storage?.accept.isEmpty == false }

    /// What the object will be served as. The first bytes are asked where the app said what is accepted.
    private func content() async throws -> StoredContent {
        guard let accept = self.job.storage?.accept, self.sniffs else {
            return StoredContent(type: self.job.contentType, filename: self.job.filename)
        }
        var bytes: [UInt8] = []
        if self.job.size > 0 {
            let first = try await self.store.firstBytes(
                Int(min(self.job.size, Int64(ContentType.sniffedBytes))),
                bucket: self.job.tmpBucket,
                key: self.job.tmpKey,
                versionID: self.job.versionID,
                ifMatch: self.job.etag
            )
            guard S3ObjectHead.isSameETag(first.head.etag, self.job.etag) else { throw Ended(.sourceChanged) }
            bytes = first.bytes
        }
        let type = ContentType.told(by: bytes, declared: self.job.contentType)
        guard AcceptedType.list(accept, accepts: type, bytes: bytes, filename: self.job.filename) else {
            throw Ended(.wrongType(type, accept))
        }
        return StoredContent(type: type, filename: self.job.filename, declared: self.job.contentType)
    }

    private func request(
        _ content: StoredContent,
        _ proof: SourceProof,
        over found: Preparation.Found,
        inParts: Bool
    ) throws -> S3CopyRequest {
        let isSourceFenced = inParts ? self.capabilities.partCopySourceIfMatch : self.capabilities.copySourceIfMatch
        var request = S3CopyRequest(
            sourceBucket: self.job.tmpBucket,
            sourceKey: self.job.tmpKey,
            sourceVersionID: self.job.versionID,
            sourceIfMatch: isSourceFenced ? self.job.etag : nil,
            bucket: self.job.bucket,
            key: self.job.key,
            attributes: content.attributes(
                self.job.storage ?? StorageSettings(),
                stamp: try Stamp(self.job, standing: proof.standing)
            )
        )
        if inParts ? self.capabilities.completeIfNoneMatch : self.capabilities.copyIfNoneMatch {
            if case .replaceable(let head) = found { request.ifMatch = head.etag } else { request.ifNoneMatch = true }
        }
        return request
    }

    // MARK: Outcomes

    private func outcome(of error: S3Error, _ proof: SourceProof, inParts: Bool) async throws -> Outcome {
        let otherwise: Outcome
        switch error.code {
        case .preconditionFailed, .notModified:
            // Either the tmp object changed or somebody was at the destination first: the destination tells which. When nothing is there
            // either, the source itself must say that it changed: the store may be wrong.
            otherwise = .retry(code: error.code.rawValue, message: error.message, delay: nil)
        case .noSuchKey, .notFound, .noSuchVersion:
            // Of the source, or of what was to be copied over.
            otherwise = .retry(code: error.code.rawValue, message: error.message, delay: .seconds(1))
        case .noSuchUpload:
            // Completed by somebody, or given up; the next attempt begins a new one.
            otherwise = .retry(code: error.code.rawValue, message: error.message, delay: .seconds(1))
        case _ where error.isOutcomeUnknown:
            otherwise = Self.outcome(of: error)
        default:
            throw error
        }
        switch try await self.lookUpDestination(inParts: inParts) {
        case .end(let outcome): return outcome
        case .nothing:
            // Says that it changed, or is gone, if so.
            if !error.isOutcomeUnknown, error.code != .noSuchUpload { _ = try await proof.source() }
            return otherwise
        case .replaceable:
            // Says that it changed, or is gone, if so. If not, the next attempt copies over what lies there.
            _ = try await proof.source()
            return error.isOutcomeUnknown ? otherwise : .unproved
        }
    }

    /// What says nothing of the file, and everything of the settings.
    private static let refusals: Set<S3Error.Code> = [
        .accessDenied, .authorizationHeaderMalformed, .configuration, .credentialsUnavailable, .expiredToken, .invalidAccessKeyID,
        .invalidToken, .noSuchBucket, .permanentRedirect, .requestTimeTooSkewed, .signatureDoesNotMatch, .tokenRefreshRequired,
        S3Error.Code("TemporaryRedirect"), S3Error.Code("IllegalLocationConstraintException"),
        // So S3 answers HEAD, which has no body, when a token has ended or the region is another.
        S3Error.Code("BadRequest"),
    ]

    static func outcome(of error: S3Error) -> Outcome {
        var message = error.message.isEmpty ? "S3 answered \(error.code)." : error.message
        // The store's operator finds the request by it.
        if let request = error.requestID { message += " [request \(request)]" }
        if error.status == 403 || Self.refusals.contains(error.code) {
            return .parked(code: (error.cause ?? error.code).rawValue, message: message)
        }
        return error.retryable
            ? .retry(code: (error.cause ?? error.code).rawValue, message: message, delay: error.retryAfter)
            : .failed(code: error.code.rawValue, message: message)
    }
}
