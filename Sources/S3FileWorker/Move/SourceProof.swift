import Foundation
import S3
import S3File

/// The proof that what was copied is what was verified, by the strongest means that the store has.
struct SourceProof: Sendable {
    /// A date in S3 has no fractions of a second: only of an object that is older than this can be told that it was not replaced since.
    static let discernibleAge: TimeInterval = 2

    let store: any MoveStore
    let job: Job
    /// What holds without a look at the source: the store sees to it. Nil where that must be proved by looking, before the copy and after.
    let standing: Guarantee?

    init(store: any MoveStore, job: Job, capabilities: S3Capabilities, inParts: Bool) {
        self.store = store
        self.job = job
        self.standing =
            if job.versionID.map({ $0 != "null" }) == true, capabilities.sourceVersions {
                .version
            } else if inParts ? capabilities.partCopySourceIfMatch : capabilities.copySourceIfMatch {
                .sourceCondition
            } else {
                nil
            }
    }

    /// The tmp object, which must be the verified one.
    ///
    /// - Throws: ``Ended`` when it is another by now, or gone.
    func source() async throws -> S3ObjectHead {
        let head: S3ObjectHead
        do {
            head = try await self.store.headObject(
                bucket: self.job.tmpBucket,
                key: self.job.tmpKey,
                versionID: self.job.versionID,
                checksum: true
            )
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound || error.code == .noSuchVersion {
            try await self.confirmMissing()
            throw Ended(.sourceMissing)
        }
        guard S3ObjectHead.isSameETag(head.etag, self.job.etag), head.size == self.job.size else { throw Ended(.sourceChanged) }
        return head
    }

    /// An answer to HEAD has no body, and a 404 may be a proxy's that has lost its S3. Nobody is told that a file is gone on that word alone.
    private func confirmMissing() async throws {
        let isListed: Bool
        do {
            isListed = try await self.store.lists(bucket: self.job.tmpBucket, key: self.job.tmpKey)
        } catch let error as S3Error where error.code == .accessDenied {
            return
        }
        guard !isListed else {
            throw S3Error(
                .serviceUnavailable,
                status: 404,
                message: "The store says of the tmp object that it is there, and that it is not."
            )
        }
    }

    /// Whether a later replacement of this object would show in its date.
    static func isDiscernible(_ head: S3ObjectHead) -> Bool {
        guard let modified = head.lastModified, let now = head.date else { return false }
        return now.timeIntervalSince(modified) >= Self.discernibleAge
    }

    /// What proves a copy; nil when nothing does.
    ///
    /// - Parameters:
    ///   - before: the source as it was when the copy began, unless the guarantee stands by itself.
    ///   - checksum: of the copy, where the store keeps one.
    /// - Throws: ``Ended`` when the source is another by now, or gone.
    func guarantee(copyETag: String, checksum: String? = nil, before: S3ObjectHead?) async throws -> Guarantee? {
        if let standing { return standing }
        // A copy keeps the ETag of an object that came in one piece. Another one proves nothing: parts and key services change it.
        if S3ObjectHead.isSameETag(copyETag, self.job.etag) { return .etag }
        guard let before, Self.isDiscernible(before) else { return nil }
        let after = try await self.source()
        guard after.lastModified == before.lastModified else { throw Ended(.sourceChanged) }
        guard let checksum, let expected = after.checksum else { return .head }
        return checksum == expected ? .checksum : nil
    }
}

/// Thrown where a move ends, with how it ended.
struct Ended: Error {
    let outcome: Outcome

    init(_ outcome: Outcome) {
        self.outcome = outcome
    }
}

extension Outcome {
    static let sourceChanged = Outcome.failed(
        code: "source_changed",
        message: "The uploaded file was replaced after it had been checked, so it was not stored. Upload it again."
    )
    static let sourceMissing = Outcome.failed(
        code: "source_missing",
        message: "The uploaded file is no longer there, so it could not be stored. Upload it again."
    )
    static let destinationExists = Outcome.failed(
        code: "destination_exists",
        message: "Another object lies at the destination key, and nothing is overwritten. Remove it, or upload the file again."
    )
    static func wrongType(_ type: String, _ accept: [String]) -> Outcome {
        .failed(
            code: "wrong_type",
            message: "The file is \(type), and only \(accept.joined(separator: ", ")) is accepted. Choose another file."
        )
    }
    /// The copy will be overwritten; by the next attempt the source is old enough to be told from a replacement.
    static let unproved = Outcome.retry(
        code: "copy_unproved",
        message: "The store could not prove that it copied the checked file, so it will copy it again.",
        delay: .seconds(SourceProof.discernibleAge)
    )
}
