import Foundation
import S3
import S3File

/// Stored files: the listing of their bucket beside the uploads that have a key in it.
struct DestinationPass {
    let reconciler: Reconciler

    private var configuration: S3FileConfiguration { self.reconciler.configuration }
    private var bucket: String { self.configuration.bucket }

    private var prefix: String {
        self.reconciler.options.prefix ?? (self.configuration.location.isEmpty ? "" : self.configuration.location + "/")
    }

    /// What seems to differ, and is looked at again.
    private struct Suspect {
        var key: String
        var row: ComparedUpload?
    }

    func run(_ run: inout ReconcileRun) async throws {
        var join = MergeJoin(left: self.objects(), right: self.uploads())
        while true {
            let pairs = try await join.next(Reconciler.batch)
            guard !pairs.isEmpty else { return }
            run.summary.objects += pairs.count { $0.left != nil }
            run.summary.uploads += pairs.count { $0.right != nil }
            run.progress(run.summary)
            let now = try await self.reconciler.now()
            try await self.judge(pairs.filter { self.isSuspect($0, now) }.map { Suspect(key: $0.key, row: $0.right) }, &run)
        }
    }

    /// Without what lies below the tmp prefix, which is another pass's.
    private func objects() -> OrderedPages<S3ListedObject> {
        let (s3, bucket, prefix) = (self.reconciler.s3, self.bucket, self.prefix)
        let tmp = Array((self.configuration.tmpPrefix + "/").utf8)
        let hasTmp = self.configuration.tmpBucket == bucket
        var place: (token: String?, after: String?)? = (nil, nil)
        return OrderedPages(key: \.key) {
            guard let at = place else { return nil }
            let page = try await s3.listObjects(
                bucket: bucket,
                prefix: prefix,
                continuationToken: at.token,
                startAfter: at.after
            )
            place = page.nextToken.map { ($0, nil) }
            guard hasTmp else { return page.objects }
            if place != nil, let last = page.objects.last, last.key.utf8.starts(with: tmp) {
                // Over the rest of them, of which there may be millions.
                place = (nil, String(decoding: tmp, as: UTF8.self) + "\u{10FFFF}")
            }
            return page.objects.filter { !$0.key.utf8.starts(with: tmp) }
        }
    }

    private func uploads() -> OrderedPages<ComparedUpload> {
        let (queue, bucket, prefix) = (self.reconciler.queue, self.bucket, self.prefix)
        var after: String? = ""
        return OrderedPages(key: { $0.key ?? "" }) {
            guard let at = after else { return nil }
            let rows = try await queue.compared(bucket: bucket, from: prefix, after: at, limit: Reconciler.batch)
            let within = rows.prefix { ($0.key ?? "").utf8.starts(with: prefix.utf8) }
            after = rows.count == Reconciler.batch && within.count == rows.count ? rows[rows.count - 1].key : nil
            return Array(within)
        }
    }

    private func isSuspect(_ pair: MergeJoin<S3ListedObject, ComparedUpload>.Pair, _ now: Date) -> Bool {
        switch (pair.left, pair.right) {
        case (let object?, let row?):
            switch row.state {
            case .stored: self.reconciler.options.checksStamps || self.differs(size: object.size, etag: object.etag, row)
            case .failed, .cancelled: true
            case .waiting: !row.hasJob
            case .expired: false
            }
        case (nil, let row?):
            row.state == .stored || row.state == .waiting && !row.hasJob
        case (let object?, nil):
            self.reconciler.options.looksForOrphans && CanonicalKey.isCanonical(object.key)
                && object.lastModified < now.addingTimeInterval(-(self.reconciler.options.grace / .seconds(1)))
        case (nil, nil):
            false
        }
    }

    private func differs(size: Int64, etag: String, _ row: ComparedUpload) -> Bool {
        size != row.size || self.differs(etag: etag, row)
    }

    /// An upload of an old version, and a listing of some store, know no ETag: that is no difference.
    private func differs(etag: String, _ row: ComparedUpload) -> Bool {
        guard let stored = row.storedETag, !etag.isEmpty else { return false }
        return !S3ObjectHead.isSameETag(stored, etag)
    }

    // MARK: The second look

    /// First the objects, and then their rows: what a row says that did not change in between was so when its object was looked at.
    private func judge(_ suspects: [Suspect], _ run: inout ReconcileRun) async throws {
        guard !suspects.isEmpty else { return }
        let forgotten = try await self.forgotten()
        let looks = try await self.reconciler.looks.look(suspects.map { Looks.Object(bucket: self.bucket, key: $0.key) })
        let again = try await self.reconciler.queue.comparedAgain(
            suspects.compactMap(\.row?.id) + looks.compactMap { $0.head?.stampedUpload },
            bucket: self.bucket,
            keys: suspects.filter { $0.row == nil }.map(\.key)
        )
        let byID = Dictionary(again.map { ($0.id, $0) }) { first, _ in first }
        let taken = Set(again.filter { $0.bucket == self.bucket }.compactMap { $0.key.map { Array($0.utf8) } })
        for (suspect, look) in zip(suspects, looks) {
            try Task.checkCancellation()
            if case .hidden = look {
                run.summary.hidden += 1
                continue
            }
            var found: Disagreement?
            if let row = suspect.row {
                guard let row = byID[row.id].flatMap({ $0.isUnchanged(since: row) ? $0 : nil }) else { continue }
                found = self.judge(row, suspect.key, look, isOfNobody: look.head?.stampedUpload.map { byID[$0] == nil } ?? false)
                if found?.kind == .missing {
                    // Some objects are found by themselves and in no listing yet, and the other way round.
                    guard try await self.reconciler.looks.isGone(self.bucket, suspect.key) else { continue }
                    found?.repair = try await self.repairOfMissing(row)
                } else if found?.repair == .takeUp, try await !self.isSourceThere(row) {
                    // Another attempt would fail as well. The copy goes with the tmp object.
                    found?.repair = nil
                }
            } else if let head = look.head, let id = head.stampedUpload, byID[id] == nil, !taken.contains(Array(suspect.key.utf8))
            {
                found = self.orphan(of: id, head, suspect.key, forgotten)
            }
            if let found { try await run.tell(found) }
        }
    }

    /// - Parameter isOfNobody: the object is stamped with an upload that there is not.
    private func judge(_ row: ComparedUpload, _ key: String, _ look: Looks.Look, isOfNobody: Bool) -> Disagreement? {
        switch (row.state, look.head) {
        case (.waiting, _):
            guard !row.hasJob else { return nil }
            return self.disagreement(.stuck, row, key, "It waits by the record, and is in no queue.", repair: .mendJob)
        case (.stored, nil):
            return self.disagreement(.missing, row, key, "It is stored by the record, and no object is there.")
        case (.stored, let head?):
            let isOurs = head.stampedUpload == row.id
            guard self.differs(size: head.size, etag: head.etag, row) else {
                guard self.reconciler.options.checksStamps, !isOurs else { return nil }
                return self.disagreement(
                    .unstamped,
                    row,
                    key,
                    "The object has the size and ETag that were stored, and not the upload's stamp: somebody else put it.",
                    head
                )
            }
            guard isOurs else {
                return self.disagreement(
                    .unstamped,
                    row,
                    key,
                    "Another object lies there, without the upload's stamp: somebody else put it.",
                    head
                )
            }
            if head.size != row.size {
                return self.disagreement(.wrongSize, row, key, "The object has another size than was stored.", head)
            }
            return self.disagreement(.wrongETag, row, key, "The object has other bytes than were stored, by its ETag.", head)
        case (.failed, let head?) where head.stampedUpload == row.id:
            return self.disagreement(
                .orphaned,
                row,
                key,
                "The upload failed by the record, and its copy is there.",
                head,
                repair: row.isTmpDeleted ? nil : .takeUp
            )
        case (.cancelled, let head?)
        where head.stampedUpload == row.id || row.errorCode == "orphan_removed" && isOfNobody:
            return self.disagreement(
                .orphaned,
                row,
                key,
                "The upload was cancelled by the record, and its copy is there.",
                head,
                repair: .deleteObject
            )
        default:
            return nil
        }
    }

    /// Files from before this may have lost their records: where that is wanted, these are forgotten first. In doubt a file is one of them.
    private func forgotten() async throws -> Date? {
        guard let kept = self.configuration.retention.stored else { return nil }
        return try await self.reconciler.latest().addingTimeInterval(-(kept / .seconds(1)))
    }

    private func orphan(of id: UUID, _ head: S3ObjectHead, _ key: String, _ forgotten: Date?) -> Disagreement? {
        if let forgotten, let begun = id.version7Time, begun < forgotten { return nil }
        return Disagreement(
            kind: .orphaned,
            upload: id,
            bucket: self.bucket,
            key: key,
            detail: "The object is stamped as the copy of an upload that this record does not have.",
            found: .init(size: head.size, etag: head.etag),
            repair: .deleteObject
        )
    }

    /// As long as the tmp object is there nothing is lost.
    private func repairOfMissing(_ row: ComparedUpload) async throws -> Disagreement.Repair? {
        switch try await self.reconciler.looks.look(row.tmpBucket, row.tmpKey, versionID: row.versionID) {
        case .present(let head) where self.isSource(head, row): .storeAgain
        case .hidden: nil
        default: .forget
        }
    }

    private func isSourceThere(_ row: ComparedUpload) async throws -> Bool {
        try await self.reconciler.looks.look(row.tmpBucket, row.tmpKey, versionID: row.versionID).head.map {
            self.isSource($0, row)
        }
            ?? false
    }

    private func isSource(_ head: S3ObjectHead, _ row: ComparedUpload) -> Bool {
        S3ObjectHead.isSameETag(head.etag, row.etag) && head.size == row.size && !row.isTmpDeleted
    }

    private func disagreement(
        _ kind: Disagreement.Kind,
        _ row: ComparedUpload,
        _ key: String,
        _ detail: String,
        _ head: S3ObjectHead? = nil,
        repair: Disagreement.Repair? = nil
    ) -> Disagreement {
        Disagreement(
            kind: kind,
            upload: row.id,
            bucket: self.bucket,
            key: key,
            detail: detail,
            expected: row.state == .stored ? .init(size: row.size, etag: row.storedETag) : nil,
            found: head.map { .init(size: $0.size, etag: $0.etag) },
            repair: repair,
            record: row
        )
    }
}
