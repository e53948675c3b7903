import Foundation
import S3
import S3File

/// The copy of an object above what S3 copies in one request: in parts, several at a time, each fenced to the verified ETag.
///
/// The plan is noted in Postgres before the first part, so that another worker goes on where this one stops. Nothing is given up here: what an
/// upload that ended leaves in the store, ``AbandonedMoves`` removes.
struct MultipartMove: Sendable {
    static let usualPart: Int64 = 64 << 20
    /// S3 takes no smaller ones, but for the last, and no more of them.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
    static let smallestPart: Int64 = 5 << 20
    static let mostParts: Int64 = 10_000
    static let concurrentParts = 4

    let mover: Mover
    let proof: SourceProof
    let request: S3CopyRequest

    private var job: Job { self.mover.attempt.job }
    private var store: any MoveStore { self.mover.store }

    /// - Parameter limit: what the store copies in one request.
    static func partSize(size: Int64, limit: Int64) -> Int64 {
        // Below its limit also where an object of no more than that was found too large: the store's own limit is lower then.
        let wanted = min(Self.usualPart, size > limit ? limit : Self.smallestPart)
        let least = (size + Self.mostParts - 1) / Self.mostParts
        return max(wanted, least, Self.smallestPart)
    }

    static func ranges(size: Int64, partSize: Int64) -> [ClosedRange<Int64>] {
        stride(from: 0, to: size, by: Int64.Stride(partSize)).map { $0...(min($0 + partSize, size) - 1) }
    }

    func run() async throws -> Mover.Copied {
        let before = try await self.discernibleSource()
        let (plan, done) = try await self.plan(before)
        let parts = try await self.copyParts(plan, done)
        let completed: S3CompletedUpload
        do {
            completed = try await self.store.completeMultipartUpload(
                bucket: self.job.bucket,
                key: self.job.key,
                uploadID: plan.multipartUploadID,
                parts: parts,
                size: self.job.size,
                ifNoneMatch: self.request.ifNoneMatch,
                ifMatch: self.request.ifMatch
            )
        } catch let error as S3Error where error.code == .conditionalRequestConflict || error.code == .invalidPart {
            // Such an upload cannot be completed any more: the next attempt begins a new one.
            try await self.abort(plan.multipartUploadID)
            throw Ended(.retry(code: error.code.rawValue, message: error.message, delay: .seconds(1)))
        }
        let head = try await self.store.headObject(
            bucket: self.job.bucket,
            key: self.job.key,
            versionID: nil,
            checksum: true
        )
        return Mover.Copied(
            // Ceph 16 leaves it out; without an ETag nothing is a success.
            etag: completed.etag ?? head.etag,
            versionID: completed.versionID,
            checksum: head.checksum,
            before: before
        )
    }

    /// The source, old enough that a replacement would show, where that is what the proof rests on.
    private func discernibleSource() async throws -> S3ObjectHead {
        let head = try await self.proof.source()
        guard self.proof.standing == nil, !SourceProof.isDiscernible(head) else { return head }
        try await self.mover.clock.sleep(.seconds(SourceProof.discernibleAge))
        return try await self.proof.source()
    }

    /// The plan of an earlier attempt with the parts that it has, or a new one.
    private func plan(_ before: S3ObjectHead) async throws -> (MovePlan, done: [Int: S3Part]) {
        if let plan = try await self.mover.attempt.plan() {
            if let done = try await self.done(plan, before) { return (plan, done) }
            try await self.abort(plan.multipartUploadID)
        }
        let uploadID = try await self.store.createMultipartUpload(
            bucket: self.request.bucket,
            key: self.request.key,
            attributes: self.request.attributes
        )
        let plan = MovePlan(
            multipartUploadID: uploadID,
            partSize: Self.partSize(size: self.job.size, limit: self.mover.options.copyLimit),
            source: try Stamp(self.job, standing: self.proof.standing).source,
            sourceModifiedAt: before.lastModified
        )
        // When the answer to this is lost it was noted or not. If not, the sweep finds a stray.
        guard try await self.mover.attempt.note(plan) else {
            try await self.abort(uploadID)
            throw LeaseLost()
        }
        return (plan, [:])
    }

    private func abort(_ uploadID: String) async throws {
        try await self.store.abortMultipartUpload(bucket: self.job.bucket, key: self.job.key, uploadID: uploadID)
    }

    /// The parts that the store has of a plan; nil when it cannot be gone on with.
    private func done(_ plan: MovePlan, _ before: S3ObjectHead) async throws -> [Int: S3Part]? {
        // Parts of other bytes, or to be stored in another way, however long they are.
        guard plan.source == (try Stamp(self.job, standing: self.proof.standing).source) else { return nil }
        // Parts of another source, which somebody then put back as it was, would pass for ours.
        guard self.proof.standing != nil || plan.sourceModifiedAt == before.lastModified else { return nil }
        let ranges = Self.ranges(size: self.job.size, partSize: plan.partSize)
        guard ranges.count <= Self.mostParts else { return nil }
        let listed: [S3ListedPart]
        do {
            listed = try await self.store.listParts(
                bucket: self.job.bucket,
                key: self.job.key,
                uploadID: plan.multipartUploadID
            )
        } catch let error as S3Error where error.code == .noSuchUpload {
            return nil
        }
        return listed.reduce(into: [:]) { done, listed in
            let number = listed.part.number
            if number <= ranges.count, listed.size == Int64(ranges[number - 1].count) { done[number] = listed.part }
        }
    }

    private func copyParts(_ plan: MovePlan, _ done: [Int: S3Part]) async throws -> [S3Part] {
        let ranges = Self.ranges(size: self.job.size, partSize: plan.partSize)
        var parts = Array(done.values)
        var copied = parts.reduce(Int64(0)) { $0 + Int64(ranges[$1.number - 1].count) }
        if !parts.isEmpty { await self.mover.attempt.progress(copied) }
        var left = ranges.indices.lazy.map { $0 + 1 }.filter { done[$0] == nil }.makeIterator()
        try await withThrowingTaskGroup(of: S3Part.self) { group in
            func start() {
                guard let number = left.next() else { return }
                group.addTask {
                    try await self.store.uploadPartCopy(
                        self.request,
                        uploadID: plan.multipartUploadID,
                        number: number,
                        range: ranges[number - 1]
                    )
                }
            }
            for _ in 0..<Self.concurrentParts { start() }
            while let part = try await group.next() {
                parts.append(part)
                copied += Int64(ranges[part.number - 1].count)
                await self.mover.attempt.progress(copied)
                start()
            }
        }
        return parts
    }
}
