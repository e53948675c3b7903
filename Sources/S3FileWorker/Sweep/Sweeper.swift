package import Foundation
package import Logging
import S3
package import S3File

/// Removes tmp objects that no form ever claimed, page by page, in constant memory.
///
/// Each is marked as expired in Postgres before it is deleted, so that a form that comes too late gets a clear answer.
package struct Sweeper: Sendable {
    /// What one sweep did.
    package struct Summary: Sendable, Equatable {
        package var listed = 0
        package var deleted = 0
        package var bytesFreed: Int64 = 0
        package var failed = 0
        /// Uploads in parts that a browser began and did not end.
        package var givenUp = 0
    }

    let s3: S3Client
    let queue: UploadQueue
    let bucket: String
    let prefix: String
    let expiry: Duration
    let logger: Logger

    package init(connections: Connections, logger: Logger) {
        self.s3 = connections.s3
        self.queue = connections.queue
        self.bucket = connections.configuration.tmpBucket
        self.prefix = connections.configuration.tmpPrefix + "/"
        self.expiry = connections.configuration.expiry
        self.logger = logger
    }

    /// One pass over all tmp objects. Safe to run twice at once, and to stop anywhere.
    package func sweep(now: Date = Date()) async throws -> Summary {
        var summary = Summary()
        let limit = now.addingTimeInterval(-TimeInterval(self.expiry.components.seconds))
        var token: String?
        repeat {
            try Task.checkCancellation()
            let page = try await self.s3.listObjects(bucket: self.bucket, prefix: self.prefix, continuationToken: token)
            summary.listed += page.objects.count
            let old = page.objects.filter { $0.lastModified < limit }
            if !old.isEmpty { try await self.remove(old, &summary) }
            token = page.nextToken
        } while token != nil
        try await self.giveUpUploads(begunBefore: limit, &summary)
        self.logger.info(
            "Swept tmp objects",
            metadata: [
                "listed": "\(summary.listed)", "deleted": "\(summary.deleted)", "bytes": "\(summary.bytesFreed)",
                "givenUp": "\(summary.givenUp)",
            ]
        )
        return summary
    }

    /// Uploads in parts below the tmp prefix are browsers', or files of forms: no copy goes there.
    private func giveUpUploads(begunBefore limit: Date, _ summary: inout Summary) async throws {
        var next: S3UploadListing.Marker?
        repeat {
            try Task.checkCancellation()
            let page: S3UploadListing
            do {
                page = try await self.s3.listMultipartUploads(bucket: self.bucket, prefix: self.prefix, after: next)
            } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
                return
            } catch let error as S3Error where error.status == 403 {
                self.logger.warning(
                    "Uploads in parts that were not ended stay, because they may not be listed; allow s3:ListBucketMultipartUploads",
                    metadata: ["error": "\(error)"]
                )
                return
            }
            // A store may not know the prefix.
            for upload in page.uploads where upload.initiated < limit && upload.key.utf8.starts(with: self.prefix.utf8) {
                do {
                    try await self.s3.abortMultipartUpload(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
                    summary.givenUp += 1
                } catch let error as S3Error {
                    self.logger.warning("An upload in parts was not given up", metadata: ["error": "\(error)"])
                }
            }
            next = page.next
        } while next != nil
    }

    private func remove(_ objects: [S3ListedObject], _ summary: inout Summary) async throws {
        // A key that is not canonical was never drawn by us and can never be claimed: it needs no mark.
        let (claimable, others) = objects.reduce(into: ([S3ListedObject](), [S3ListedObject]())) { parts, object in
            if CanonicalKey.isCanonical(object.key) { parts.0.append(object) } else { parts.1.append(object) }
        }
        let expired = try await self.queue.expire(
            tmpBucket: self.bucket,
            objects: claimable.map { (key: $0.key, size: $0.size, etag: $0.etag) }
        )
        let keys = expired + others.map(\.key)
        guard !keys.isEmpty else { return }
        let result = try await self.s3.deleteObjects(bucket: self.bucket, keys.map { S3ObjectIdentifier(key: $0) })
        let failed = Set(result.errors.map { Array($0.object.key.utf8) })
        let gone = Set(keys.map { Array($0.utf8) }).subtracting(failed)
        summary.failed += failed.count
        summary.deleted += gone.count
        summary.bytesFreed += objects.reduce(0) { gone.contains(Array($1.key.utf8)) ? $0 + $1.size : $0 }
    }
}
