import Foundation
package import Logging
import Postgres
import S3
package import S3File

/// Removes tmp objects that no form ever claimed, page by page, in constant memory; and with them uploads in parts that nobody ended.
///
/// An object goes when it is older than ``S3FileConfiguration/expiry``, which is longer than any ticket lives, and no upload claims it that
/// waits, moves, or failed lately: see ``TmpRemoval``. How old it is is said by the clock that is the farthest behind: the store's, the
/// database's, or this machine's.
///
/// Of all processes one has a pass. What it has done is noted after each page, so that after a crash another goes on from there.
package struct Sweeper: Sendable {
    let s3: S3Client
    let queue: UploadQueue
    let configuration: S3FileConfiguration
    let logger: Logger
    let capabilities: StoreCapabilities
    /// For tests, which cannot wait: how much later it is taken to be.
    var ahead: TimeInterval = 0

    private var bucket: String { self.configuration.tmpBucket }
    private var prefix: String { self.configuration.tmpPrefix + "/" }

    package init(connections: Connections, logger: Logger) {
        self.s3 = connections.s3
        self.queue = connections.queue
        self.configuration = connections.configuration
        self.logger = logger
        self.capabilities = StoreCapabilities(s3: connections.s3, prefix: connections.configuration.tmpPrefix, logger: logger)
    }

    /// What is told after each page.
    package typealias Progress = @Sendable (SweepSummary) -> Void

    /// A pass, if it is due and nobody else is at it; or the rest of one that somebody left.
    ///
    /// - Parameter interval: from the beginning of one pass to that of the next.
    /// - Returns: nil when it is not this process's turn.
    package func sweepInTurn(every interval: Duration, progress: Progress? = nil) async throws -> SweepSummary? {
        try await self.pass(every: interval, anew: false, progress)
    }

    /// A whole pass, now.
    ///
    /// - Returns: nil when somebody else is at it: see ``state()``.
    package func sweep(progress: Progress? = nil) async throws -> SweepSummary? {
        try await self.pass(every: WorkerPool.Options().sweepInterval, anew: true, progress)
    }

    /// What a pass would do now. Touches nothing, in Postgres or in the store.
    package func preview(progress: Progress? = nil) async throws -> SweepSummary {
        var summary = SweepSummary()
        let now = try await self.queue.now()
        try await self.sweep(nil, now: now, &summary, progress)
        return summary
    }

    /// Who is at it, and what came of the last pass.
    package func state() async throws -> SweepState? {
        try await self.queue.sweepState(bucket: self.bucket, prefix: self.prefix)
    }

    private func pass(every interval: Duration, anew: Bool, _ progress: Progress?) async throws -> SweepSummary? {
        let holder = "\(ProcessInfo.processInfo.hostName) (process \(ProcessInfo.processInfo.processIdentifier))"
        guard
            let pass = try await self.queue.beginSweep(
                bucket: self.bucket,
                prefix: self.prefix,
                holder: holder,
                every: interval,
                anew: anew
            )
        else { return nil }
        var summary = SweepSummary()
        do {
            try await self.sweep(pass, now: pass.beganAt, &summary, progress)
            try await self.queue.end(pass, done: true)
        } catch is PassLost {
            self.logger.info("Another process goes on with the sweep", metadata: ["bucket": "\(self.bucket)"])
        } catch {
            // A worker that fails leaves it for as long as it was taken for, so that not one after the other fails at once.
            if anew || Task.isCancelled {
                await Task { try? await self.queue.end(pass, done: false) }.value
            }
            throw error
        }
        return summary
    }

    /// Somebody else has taken the pass: this process was away for too long.
    private struct PassLost: Error {}

    // MARK: A pass

    /// - Parameter pass: nil only looks.
    private func sweep(_ pass: SweepPass?, now: Date, _ summary: inout SweepSummary, _ progress: Progress?) async throws {
        // Before anything else, so that what follows has a clock to go by that is the store's.
        var limit = self.limit(now, nil)
        let removal = self.removal(isDry: pass == nil)
        var pages = TmpPages(
            s3: self.s3,
            bucket: self.bucket,
            prefix: self.prefix,
            keepsVersions: try await self.keepsVersions(),
            after: pass?.after ?? ""
        )
        let started = ContinuousClock.now
        // The key at the end of the last page, whose newest version is young: its other versions are left alone as well.
        var young: [UInt8] = []
        while let page = try await pages.next() {
            try Task.checkCancellation()
            limit = self.limit(now.addingTimeInterval((ContinuousClock.now - started) / .seconds(1)), page.date)
            let before = summary
            summary.listed += page.entries.count
            let old = Self.old(page.entries, limit, &young)
            if !old.isEmpty { try await removal.remove(old, &summary) }
            progress?(summary)
            if let pass { try await self.note(pass, after: page.done, summary, since: before) }
        }
        try await self.giveUpUploads(pass, begunBefore: limit, &summary, progress)
        if pass != nil { try await self.sweepProbes() }
        guard pass != nil else { return }
        self.logger.info(
            "Swept tmp objects",
            metadata: [
                "listed": "\(summary.listed)", "removed": "\(summary.removed)", "bytes": "\(summary.totalBytesFreed)",
                "kept": "\(summary.kept)", "busy": "\(summary.busy)", "failed": "\(summary.failed)",
                "uploadsGivenUp": "\(summary.uploadsGivenUp)", "copiesRemoved": "\(summary.copiesRemoved)",
            ]
        )
    }

    /// Before which moment an object must have been put to be old.
    private func limit(_ database: Date, _ store: Date?) -> Date {
        let now = min(database, Date(), store ?? .distantFuture)
        return now.addingTimeInterval(self.ahead - TimeInterval(self.configuration.expiry.components.seconds))
    }

    /// Of each key all versions, or none: while one of them is young, its ticket may still be.
    static func old(_ entries: [TmpEntry], _ limit: Date, _ young: inout [UInt8]) -> [TmpEntry] {
        var old: [TmpEntry] = []
        for entry in entries {
            if entry.lastModified >= limit {
                young = entry.keyBytes
            } else if entry.versionID == nil || entry.keyBytes != young {
                old.append(entry)
            }
        }
        return old
    }

    func removal(isDry: Bool) -> TmpRemoval {
        TmpRemoval(
            s3: self.s3,
            queue: self.queue,
            bucket: self.bucket,
            probes: S3CapabilityProbe.folder(self.configuration.tmpPrefix),
            isFenced: { [capabilities, bucket] in await capabilities.capabilities(ofSource: bucket).batchDeleteIfMatch },
            copies: isDry ? nil : GivenUpCopies(s3: self.s3, capabilities: self.capabilities)
        )
    }

    private func note(_ pass: SweepPass, after: String?, _ summary: SweepSummary, since before: SweepSummary) async throws {
        let isKept = try await self.queue.keep(
            pass,
            // Postgres has no text with this character in it; then the pass is gone on with from the page before.
            after: after.flatMap { $0.utf8.contains(0) ? nil : $0 },
            listed: summary.listed - before.listed,
            removed: summary.removed - before.removed,
            bytesFreed: summary.totalBytesFreed - before.totalBytesFreed,
            failed: summary.failed - before.failed
        )
        guard isKept else { throw PassLost() }
    }

    /// Versions are deleted by their ids: anything else would only hide them, and they would cost what they cost before.
    private func keepsVersions() async throws -> Bool {
        do {
            return try await self.s3.bucketVersioning(self.bucket) != .never
        } catch let error as S3Error
            where error.code == .accessDenied || error.code == .notImplemented || error.code == .methodNotAllowed
        {
            self.logger.debug(
                "The bucket does not say whether it keeps versions, so that only what is listed goes; allow s3:GetBucketVersioning",
                metadata: ["bucket": "\(self.bucket)", "error": "\(error)"]
            )
            return false
        }
    }

    // MARK: Uploads in parts

    /// Those below the tmp prefix are browsers', or files of forms: no copy goes there. Those to a key of ours are copies, given up when no plan
    /// names them.
    private func giveUpUploads(
        _ pass: SweepPass?,
        begunBefore limit: Date,
        _ summary: inout SweepSummary,
        _ progress: Progress?
    ) async throws {
        var found = summary
        func giveUp(_ uploads: [S3ListedUpload], _ stale: StaleUploads) async throws {
            for upload in uploads {
                try Task.checkCancellation()
                let before = found
                let bytes = await stale.bytes(of: upload)
                if pass == nil {
                    found.uploadsGivenUp += 1
                    found.partBytesFreed += bytes
                } else if try await stale.giveUp(upload) {
                    found.uploadsGivenUp += 1
                    found.partBytesFreed += bytes
                } else {
                    found.fail(1, "AbortMultipartUpload")
                }
                progress?(found)
                if let pass { try await self.note(pass, after: nil, found, since: before) }
            }
        }
        defer { summary = found }
        let ofBrowsers = StaleUploads(s3: self.s3, bucket: self.bucket, logger: self.logger)
        let sawUploads = try await ofBrowsers.eachPage(prefix: self.prefix, begunBefore: limit) { uploads in
            try await giveUp(uploads, ofBrowsers)
        }
        let bucket = self.configuration.bucket
        let ofMoves = StaleUploads(s3: self.s3, bucket: bucket, logger: self.logger)
        let sawMoves = try await ofMoves.eachPage(prefix: "", begunBefore: limit) { uploads in
            try await giveUp(try await self.queue.strays(of: uploads, bucket: bucket), ofMoves)
        }
        found.sawUploads = sawUploads && sawMoves
    }

    /// What workers asked the store with that were killed over it. In the tmp bucket it would go as any stale object; in others nobody looks.
    private func sweepProbes() async throws {
        for bucket in Set([self.configuration.tmpBucket, self.configuration.bucket]) {
            let probes = try await S3CapabilityProbe.sweep(
                client: self.s3,
                bucket: bucket,
                prefix: self.configuration.tmpPrefix,
                olderThan: Date(timeIntervalSinceNow: -3_600)
            )
            if probes > 0 {
                self.logger.info(
                    "Objects of unfinished probes were deleted",
                    metadata: ["bucket": "\(bucket)", "probes": "\(probes)"]
                )
            }
        }
    }
}

extension UploadQueue {
    /// Of uploads in parts that a listing showed, and that are old: those to a key of ours that no plan knows, begun by a worker that died before
    /// it could note them.
    func strays(of uploads: [S3ListedUpload], bucket: String) async throws -> [S3ListedUpload] {
        let possible = uploads.filter { CanonicalKey.isCanonical($0.key) }
        let strays = try await self.strayMultipartUploads(
            bucket: bucket,
            possible.map { (key: $0.key, multipartUploadID: $0.uploadID) }
        )
        let ids = Set(strays.map(\.multipartUploadID))
        return possible.filter { ids.contains($0.uploadID) }
    }
}
