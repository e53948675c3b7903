import Foundation
import Postgres
import S3
import S3File

/// Removes old tmp objects that nothing claims: first they are marked as expired in Postgres, and only what is marked is deleted.
///
/// A form that comes after the mark is told that it came too late, and nothing is enqueued; one that comes before it has the key, and the
/// object stays. The unique key of the record decides between the two.
struct TmpRemoval: Sendable {
    let s3: S3Client
    let queue: UploadQueue
    let bucket: String
    /// Nothing below it is of an upload: what was asked of the store with lies there.
    let probes: String
    /// Whether the store deletes an object only while it has the ETag that was seen.
    let isFenced: @Sendable () async -> Bool
    /// Nil only looks.
    let copies: GivenUpCopies?

    private var isDry: Bool { self.copies == nil }

    /// - Parameter old: of one bucket, in the order of a listing: the versions of a key side by side.
    func remove(_ old: [TmpEntry], _ summary: inout SweepSummary) async throws {
        // A key that is not canonical was never drawn by us and can never be claimed: it needs no mark.
        let claimable = old.filter { CanonicalKey.isCanonical($0.key) && !$0.key.utf8.starts(with: self.probes.utf8) }
        var marks: [TmpEntry] = []
        for entry in claimable where marks.last.map({ $0.keyBytes != entry.keyBytes }) ?? true { marks.append(entry) }
        var verdicts = Dictionary(marks.map { ($0.keyBytes, Verdict.claimed) }) { first, _ in first }
        if self.isDry {
            let keys = try await self.queue.expirable(tmpBucket: self.bucket, keys: marks.map(\.key))
            for key in keys { verdicts[Array(key.utf8)] = .free }
        } else {
            try await self.mark(marks[...], &verdicts)
        }
        var going: [TmpEntry] = []
        for entry in old {
            switch verdicts[entry.keyBytes] ?? .free {
            case .free: going.append(entry)
            case .claimed: summary.kept += 1
            case .busy: summary.busy += 1
            case .refused(let state): summary.fail(1, state)
            }
        }
        guard let copies else { return try await self.delete(going, &summary) }
        let marked = marks.filter { if case .free = verdicts[$0.keyBytes] { true } else { false } }.map(\.key)
        let givenUp = try await self.queue.givenUp(tmpBucket: self.bucket, keys: marked)
        let before = try await copies.remove(givenUp)
        let staying = going.filter { before.left[$0.keyBytes] != nil }
        if let failure = before.left.values.first { summary.fail(staying.count, failure.rawValue) }
        going.removeAll { before.left[$0.keyBytes] != nil }
        try await self.delete(going, &summary)
        // Where one came after the look: from the deletion on none can be begun.
        let after = try await copies.remove(givenUp.filter { before.left[Array($0.tmpKey.utf8)] == nil })
        summary.copiesRemoved += before.removed + after.removed
    }

    /// What the record says of a key.
    private enum Verdict {
        case free, claimed
        /// Somebody's open transaction has it.
        case busy
        /// It breaks a rule of the record.
        case refused(String)
    }

    /// Marks them in one statement, or, when one of them is in somebody's hands or impossible, the others without it.
    private func mark(_ entries: ArraySlice<TmpEntry>, _ verdicts: inout [[UInt8]: Verdict]) async throws {
        guard let first = entries.first else { return }
        do {
            let keys = try await self.queue.expire(
                tmpBucket: self.bucket,
                // Within the bounds of the record: a store that says nonsense of one object keeps the others from going otherwise.
                objects: entries.map {
                    (key: $0.key, size: min($0.size, 53_687_091_200_000), etag: $0.etag.isEmpty ? "-" : $0.etag)
                }
            )
            for key in keys { verdicts[Array(key.utf8)] = .free }
        } catch let error as PostgresError where error.isBusy || error.isOfAValue {
            guard entries.count > 1 else {
                verdicts[first.keyBytes] = error.isBusy ? .busy : .refused(error.sqlState ?? "\(error.code)")
                return
            }
            let middle = entries.startIndex + entries.count / 2
            try await self.mark(entries[..<middle], &verdicts)
            try await self.mark(entries[middle...], &verdicts)
        }
    }

    private func delete(_ entries: [TmpEntry], _ summary: inout SweepSummary) async throws {
        guard !entries.isEmpty else { return }
        var left = Set<[UInt8]>()
        if !self.isDry {
            let isFenced = await self.isFenced()
            let result = try await self.s3.deleteObjects(
                bucket: self.bucket,
                entries.map {
                    S3ObjectIdentifier(
                        key: $0.key,
                        versionID: $0.versionID,
                        ifMatch: isFenced && $0.versionID == nil && !$0.etag.isEmpty ? $0.etag : nil
                    )
                }
            )
            for failure in result.errors {
                left.insert(Self.name(failure.object.key, failure.object.versionID))
                if failure.error.code == .preconditionFailed {
                    summary.busy += 1
                } else {
                    summary.fail(1, failure.error.code.rawValue)
                }
            }
        }
        for entry in entries where !left.contains(Self.name(entry.key, entry.versionID)) {
            summary.removed += 1
            summary.bytesFreed += entry.size
        }
    }

    private static func name(_ key: String, _ version: String?) -> [UInt8] {
        Array(key.utf8) + [0] + Array((version ?? "").utf8)
    }
}

extension PostgresError {
    /// A lock was waited for in vain, or stood in somebody's way.
    fileprivate var isBusy: Bool { self.isConflict || self.sqlState == "55P03" }

    /// Some value breaks a rule, or cannot be sent.
    fileprivate var isOfAValue: Bool {
        self.code == .invalidParameter || self.sqlState.map { $0.hasPrefix("22") || $0.hasPrefix("23") } == true
    }
}
