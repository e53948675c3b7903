import S3
import S3File

/// The copy of an object above what S3 copies in one request: in parts, several at a time, each fenced to the verified ETag.
///
/// Parts are sized so that 10,000 of them hold the object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
struct MultipartMove: Sendable {
    static let smallestPart: Int64 = 64 << 20
    static let mostParts: Int64 = 10_000
    static let concurrentParts = 4

    let mover: Mover
    let job: Job

    static func ranges(size: Int64) -> [ClosedRange<Int64>] {
        let part = max(Self.smallestPart, (size + Self.mostParts - 1) / Self.mostParts)
        return stride(from: 0, to: size, by: Int64.Stride(part)).map { $0...(min($0 + part, size) - 1) }
    }

    /// - Returns: the ETag and version of the whole object.
    func run() async throws -> (etag: String, versionID: String?) {
        let request = self.mover.copyRequest(for: self.job)
        let uploadID = try await self.mover.s3.createMultipartUpload(
            bucket: request.bucket,
            key: request.key,
            attributes: request.attributes
        )
        do {
            let parts = try await self.copyParts(request, uploadID)
            try await self.mover.checkLease()
            let completed = try await self.mover.s3.completeMultipartUpload(
                bucket: self.job.bucket,
                key: self.job.key,
                uploadID: uploadID,
                parts: parts,
                ifNoneMatch: true
            )
            if let etag = completed.etag { return (etag, completed.versionID) }
            // Ceph 16 leaves it out; without an ETag nothing is a success, so it is asked for.
            let head = try await self.mover.s3.headObject(bucket: self.job.bucket, key: self.job.key)
            return (head.etag, head.versionID)
        } catch let error as S3Error where error.isOutcomeUnknown {
            throw error  // It may be complete: aborting is for who has looked.
        } catch {
            // In a task of its own, awaited: a stopped move is cancelled already, and its parts cost money until they are given up.
            let (s3, job) = (self.mover.s3, self.job)
            await Task { try? await s3.abortMultipartUpload(bucket: job.bucket, key: job.key, uploadID: uploadID) }.value
            throw error
        }
    }

    private func copyParts(_ request: S3CopyRequest, _ uploadID: String) async throws -> [S3Part] {
        let ranges = Self.ranges(size: self.job.size)
        return try await withThrowingTaskGroup(of: S3Part.self) { group in
            var parts: [S3Part] = []
            var (next, copied) = (0, Int64(0))
            func start() {
                guard next < ranges.count else { return }
                let index = next
                next += 1
                group.addTask {
                    try await self.mover.checkLease()
                    return try await self.mover.s3.uploadPartCopy(
                        request,
                        uploadID: uploadID,
                        number: index + 1,
                        range: ranges[index]
                    )
                }
            }
            for _ in 0..<Self.concurrentParts { start() }
            while let part = try await group.next() {
                parts.append(part)
                copied += Int64(ranges[part.number - 1].count)
                await self.mover.progress(self.job, copied)
                start()
            }
            return parts
        }
    }
}
