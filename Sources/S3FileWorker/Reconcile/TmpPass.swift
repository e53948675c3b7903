import Foundation
import S3
import S3File

/// What browsers posted: the listing of the tmp prefix beside the uploads that claim something below it.
struct TmpPass {
    let reconciler: Reconciler

    private var bucket: String { self.reconciler.configuration.tmpBucket }
    private var prefix: String { self.reconciler.configuration.tmpPrefix + "/" }

    func run(_ run: inout ReconcileRun) async throws {
        var join = MergeJoin(left: self.objects(), right: self.uploads())
        while true {
            let pairs = try await join.next(Reconciler.batch)
            guard !pairs.isEmpty else { return }
            run.summary.tmpObjects += pairs.count { $0.left != nil }
            run.progress(run.summary)
            let now = try await self.reconciler.now()
            try await self.judge(pairs, now, &run)
        }
    }

    private func objects() -> OrderedPages<TmpEntry> {
        // In a bucket with versions the newest alone: the others are the sweep's, and no upload is about them.
        var pages = TmpPages(
            s3: self.reconciler.s3,
            bucket: self.bucket,
            prefix: self.prefix,
            keepsVersions: false,
            after: ""
        )
        let probes = S3CapabilityProbe.folder(self.reconciler.configuration.tmpPrefix)
        return OrderedPages(key: \.key) {
            try await pages.next()?.entries.filter { !$0.key.utf8.starts(with: probes.utf8) }
        }
    }

    private func uploads() -> OrderedPages<ComparedUpload> {
        let (queue, bucket, prefix) = (self.reconciler.queue, self.bucket, self.prefix)
        var after: String? = ""
        return OrderedPages(key: \.tmpKey) {
            guard let at = after else { return nil }
            let rows = try await queue.compared(tmpBucket: bucket, from: prefix, after: at, limit: Reconciler.batch)
            let within = rows.prefix { $0.tmpKey.utf8.starts(with: prefix.utf8) }
            after = rows.count == Reconciler.batch && within.count == rows.count ? rows[rows.count - 1].tmpKey : nil
            return Array(within)
        }
    }

    private func judge(_ pairs: [MergeJoin<TmpEntry, ComparedUpload>.Pair], _ now: Date, _ run: inout ReconcileRun) async throws {
        let grace = self.reconciler.options.grace / .seconds(1)
        // Two passes of the sweep may go by before it is late.
        let expiry = self.reconciler.configuration.expiry + WorkerPool.Options().sweepInterval * 2
        let staleLimit = now.addingTimeInterval(-(expiry / .seconds(1)))
        var left: [ComparedUpload] = []
        var gone: [ComparedUpload] = []
        var stale: [TmpEntry] = []
        for pair in pairs {
            switch (pair.left, pair.right) {
            case (_?, let row?) where row.state == .stored:
                // Also when it was posted anew meanwhile: what is stored is stored.
                if row.finishedAt.map({ $0 < now.addingTimeInterval(-grace) }) == true { left.append(row) }
            case (let entry?, let row) where row?.state != .waiting:
                if entry.lastModified < staleLimit { stale.append(entry) }
            case (nil, let row?) where row.state == .waiting:
                gone.append(row)
            default: break
            }
        }
        try await self.tellLeft(left, &run)
        try await self.tellGone(gone, &run)
        try await self.tellStale(stale, staleLimit, &run)
    }

    // MARK: The second look

    private func tellLeft(_ rows: [ComparedUpload], _ run: inout ReconcileRun) async throws {
        let looks = try await self.reconciler.looks.look(rows.map { Looks.Object(bucket: $0.tmpBucket, key: $0.tmpKey) })
        let again = try await self.again(rows)
        for (row, look) in zip(rows, looks) {
            guard let head = look.head, let row = again[row.id].flatMap({ $0.isUnchanged(since: row) ? $0 : nil }) else {
                continue
            }
            try await run.tell(
                Disagreement(
                    kind: .tmpLeft,
                    upload: row.id,
                    bucket: row.tmpBucket,
                    key: row.tmpKey,
                    detail: "The upload is stored, and its tmp object is still there.",
                    found: .init(size: head.size, etag: head.etag),
                    repair: .deleteTmp,
                    record: row
                )
            )
        }
    }

    private func tellGone(_ rows: [ComparedUpload], _ run: inout ReconcileRun) async throws {
        let looks = try await self.reconciler.looks.look(
            rows.map { Looks.Object(bucket: $0.tmpBucket, key: $0.tmpKey, versionID: $0.versionID) }
        )
        let again = try await self.again(rows)
        for (row, look) in zip(rows, looks) where look.isAbsent {
            // A tmp object goes only after its upload is stored, so that one that still waits has lost it.
            guard let row = again[row.id], row.state == .waiting else { continue }
            if row.versionID == nil {
                guard try await self.reconciler.looks.isGone(row.tmpBucket, row.tmpKey) else { continue }
            }
            try await run.tell(
                Disagreement(
                    kind: .sourceMissing,
                    upload: row.id,
                    bucket: row.tmpBucket,
                    key: row.tmpKey,
                    detail: "The upload waits to be stored, and its tmp object is not there.",
                    expected: .init(size: row.size, etag: row.etag),
                    record: row
                )
            )
        }
    }

    private func tellStale(_ entries: [TmpEntry], _ limit: Date, _ run: inout ReconcileRun) async throws {
        let looks = try await self.reconciler.looks.look(entries.map { Looks.Object(bucket: self.bucket, key: $0.key) })
        let possible = entries.filter { CanonicalKey.isCanonical($0.key) }
        let free = Set(
            try await self.reconciler.queue.expirable(tmpBucket: self.bucket, keys: possible.map(\.key)).map { Array($0.utf8) }
        )
        let claimed = Set(possible.map(\.keyBytes)).subtracting(free)
        for (entry, look) in zip(entries, looks) where !claimed.contains(entry.keyBytes) {
            guard let head = look.head, head.lastModified.map({ $0 < limit }) == true else { continue }
            try await run.tell(
                Disagreement(
                    kind: .tmpStale,
                    bucket: self.bucket,
                    key: entry.key,
                    detail: "No upload claims the tmp object, and the sweep should have taken it: does a worker run?",
                    found: .init(size: head.size, etag: head.etag),
                    repair: .sweep
                )
            )
        }
    }

    private func again(_ rows: [ComparedUpload]) async throws -> [UUID: ComparedUpload] {
        let again = try await self.reconciler.queue.comparedAgain(rows.map(\.id))
        return Dictionary(again.map { ($0.id, $0) }) { first, _ in first }
    }
}
