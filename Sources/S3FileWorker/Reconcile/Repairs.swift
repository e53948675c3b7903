import Foundation
import S3
import S3File

/// What `--apply` does. Each repair looks again at what it was decided on, and is fenced in Postgres where the record changes; each is safe to
/// repeat, and to stop anywhere.
struct Repairs {
    let reconciler: Reconciler
    /// By the clock that is the farthest behind, when the reconciliation began.
    let now: Date
    private let started = ContinuousClock.now

    init(reconciler: Reconciler, now: Date) {
        self.reconciler = reconciler
        self.now = now
    }

    private var s3: S3Client { self.reconciler.s3 }
    private var queue: UploadQueue { self.reconciler.queue }
    private var looks: Looks { self.reconciler.looks }

    func apply(_ repair: Disagreement.Repair, _ found: Disagreement) async throws -> Disagreement.Outcome {
        switch repair {
        case .storeAgain: try await self.storeAgain(found)
        case .takeUp: try await self.takeUp(found)
        case .forget: try await self.forget(found)
        case .deleteObject: try await self.deleteObject(found)
        case .deleteTmp: try await self.deleteTmp(found)
        case .sweep: try await self.sweep(found)
        case .giveUp: try await self.giveUp(found)
        case .mendJob: try await self.mendJob(found)
        case .reap: try await self.reap(found)
        }
    }

    /// The row, if it still is as it was found.
    private func current(_ found: Disagreement) async throws -> ComparedUpload? {
        guard let record = found.record else { return nil }
        return try await self.queue.comparedAgain([record.id]).first { $0.isUnchanged(since: record) }
    }

    // MARK: Files that are missing

    private func storeAgain(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let row = try await self.current(found), try await self.looks.isGone(found.bucket, found.key),
            let head = try await self.looks.look(row.tmpBucket, row.tmpKey, versionID: row.versionID).head,
            S3ObjectHead.isSameETag(head.etag, row.etag), head.size == row.size
        else { return .changed }
        guard try await self.queue.storeAgain(row) else { return .changed }
        try await self.queue.notify()
        return .repaired
    }

    private func forget(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let row = try await self.current(found), try await self.looks.isGone(found.bucket, found.key) else {
            return .changed
        }
        // There may be a tmp object by now that it can be stored from.
        let source = try await self.looks.look(row.tmpBucket, row.tmpKey, versionID: row.versionID).head
        guard source.map({ !S3ObjectHead.isSameETag($0.etag, row.etag) }) ?? true else { return .changed }
        return try await self.queue.forgetStored(row) ? .repaired : .changed
    }

    // MARK: Copies that no stored upload has

    private func takeUp(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let row = try await self.current(found), try await self.queue.takeUp(row) else { return .changed }
        try await self.queue.notify()
        return .repaired
    }

    /// First the record sees to it that no worker writes to this key, or takes what lies there for stored; then it is deleted.
    private func deleteObject(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let head = try await self.looks.look(found.bucket, found.key).head, let stamped = head.stampedUpload,
            S3ObjectHead.isSameETag(head.etag, found.found?.etag ?? ""), head.size == found.found?.size
        else { return .changed }
        var attempt: Int16?
        if let record = found.record, record.errorCode != "orphan_removed" {
            guard let row = try await self.current(found), row.state == .cancelled, stamped == row.id else { return .changed }
            attempt = row.attempt
        }
        let isFenced = await self.reconciler.sweeper.capabilities.capabilities(from: found.bucket, to: found.bucket).deleteIfMatch
        let isBuried = try await self.queue.buryCopy(
            of: stamped,
            attempt: attempt,
            bucket: found.bucket,
            key: found.key,
            size: head.size,
            etag: head.etag
        )
        guard isBuried else { return .changed }
        return try await self.s3.deleteObject(bucket: found.bucket, key: found.key, seenAs: head, isFenced: isFenced)
            ? .repaired : .changed
    }

    // MARK: Tmp objects

    /// Only while the file is seen to be stored.
    private func deleteTmp(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let row = try await self.current(found), row.state == .stored, let key = row.key,
            let stored = try await self.looks.look(row.bucket, key).head, stored.size == row.size,
            row.storedETag.map({ S3ObjectHead.isSameETag($0, stored.etag) }) ?? (stored.stampedUpload == row.id),
            let head = try await self.looks.look(row.tmpBucket, row.tmpKey).head,
            S3ObjectHead.isSameETag(head.etag, found.found?.etag ?? "")
        else { return .changed }
        let isFenced = await self.reconciler.sweeper.capabilities.capabilities(ofSource: row.tmpBucket).deleteIfMatch
        return try await self.s3.deleteObject(bucket: row.tmpBucket, key: row.tmpKey, seenAs: head, isFenced: isFenced)
            ? .repaired : .changed
    }

    private func sweep(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let head = try await self.looks.look(found.bucket, found.key).head,
            S3ObjectHead.isSameETag(head.etag, found.found?.etag ?? "")
        else { return .changed }
        var summary = SweepSummary()
        let entry = TmpEntry(
            key: found.key,
            size: head.size,
            etag: head.etag,
            lastModified: head.lastModified ?? self.now,
            versionID: head.versionID.flatMap { $0 == "null" ? nil : $0 }
        )
        try await self.reconciler.sweeper.removal(isDry: false).remove([entry], &summary)
        if let failure = summary.failure { return .failed(failure) }
        return summary.removed > 0 ? .repaired : .changed
    }

    // MARK: Uploads in parts

    private func giveUp(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let id = found.multipartUploadID else { return .changed }
        if let uploadID = found.upload {
            let move = AbandonedMove(uploadID: uploadID, bucket: found.bucket, key: found.key, multipartUploadID: id)
            guard try await self.queue.comparedAgain([uploadID]).allSatisfy({ $0.state != .waiting }) else { return .changed }
            let moves = AbandonedMoves(s3: self.s3, queue: self.queue, logger: self.reconciler.logger)
            guard try await moves.abort(move) else { return .failed("The store would not give it up.") }
            try await self.queue.forget([move])
            return .repaired
        }
        let stale = StaleUploads(s3: self.s3, bucket: found.bucket, logger: self.reconciler.logger)
        let upload = S3ListedUpload(key: found.key, uploadID: id, initiated: self.now)
        if !found.key.utf8.starts(with: (self.reconciler.configuration.tmpPrefix + "/").utf8) {
            // A plan may have been noted since.
            guard try await !self.queue.strays(of: [upload], bucket: found.bucket).isEmpty else { return .changed }
        }
        return try await stale.giveUp(upload) ? .repaired : .failed("The store would not give it up.")
    }

    // MARK: The queue

    private func mendJob(_ found: Disagreement) async throws -> Disagreement.Outcome {
        guard let id = found.upload, try await self.queue.mendJobs([id]) else { return .changed }
        try await self.queue.notify()
        return .repaired
    }

    /// Whoever has lost the database with all the others gives them the time to beat again before it calls one dead.
    private func reap(_ found: Disagreement) async throws -> Disagreement.Outcome {
        let patience = UploadQueue.leaseDuration + UploadQueue.reapSlack - (ContinuousClock.now - self.started)
        if patience > .zero { try await Task.sleep(for: patience) }
        var count = 0
        repeat {
            count = try await self.queue.reap(slack: JobPass.deadAfter)
        } while count > 0
        guard let id = found.upload else { return .changed }
        let first = try await self.queue.stuckJobs(
            after: id.predecessor,
            limit: 1,
            due: self.reconciler.options.stuckAfter,
            silent: self.reconciler.options.stuckAfter,
            dead: JobPass.deadAfter
        ).jobs.first
        return first?.id == id && first?.reason == .workerLost ? .failed("It was not taken back.") : .repaired
    }
}

extension UUID {
    /// The id before this one, in Postgres's order.
    var predecessor: UUID {
        var copy = self.uuid
        withUnsafeMutableBytes(of: &copy) { bytes in
            for index in bytes.indices.reversed() {
                bytes[index] &-= 1
                if bytes[index] != 0xFF { break }
            }
        }
        return UUID(uuid: copy)
    }
}
