import Foundation
import Logging
import S3

/// Uploads in parts that somebody began and nobody ends: their parts cost money until they are given up.
struct StaleUploads: Sendable {
    let s3: S3Client
    let bucket: String
    let logger: Logger

    /// Those below a prefix that were begun before `limit`, a page at a time.
    ///
    /// - Returns: whether the store lets us look.
    func eachPage(
        prefix: String,
        begunBefore limit: Date,
        _ body: ([S3ListedUpload]) async throws -> Void
    ) async throws -> Bool {
        var next: S3UploadListing.Marker?
        repeat {
            try Task.checkCancellation()
            let page: S3UploadListing
            do {
                page = try await self.s3.listMultipartUploads(bucket: self.bucket, prefix: prefix, after: next)
            } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
                return false
            } catch let error as S3Error where error.status == 403 && error.code == .accessDenied {
                self.logger.warning(
                    "Uploads in parts that were not ended stay, because they may not be listed; allow s3:ListBucketMultipartUploads",
                    metadata: ["bucket": "\(self.bucket)", "error": "\(error)"]
                )
                return false
            }
            // A store may not know the prefix.
            let old = page.uploads.filter { $0.initiated < limit && $0.key.utf8.starts(with: prefix.utf8) }
            if !old.isEmpty { try await body(old) }
            next = page.next
        } while next != nil
        return true
    }

    /// The bytes of the parts that an upload has; 0 when they are not told.
    func bytes(of upload: S3ListedUpload) async -> Int64 {
        let parts = try? await self.s3.listParts(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
        return parts?.reduce(0) { $0 + $1.size } ?? 0
    }

    /// - Returns: whether nothing is left.
    func giveUp(_ upload: S3ListedUpload) async throws -> Bool {
        do {
            try await self.s3.abortMultipartUpload(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
            // A part that was on its way may have come after: then it is done again.
            // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
            for _ in 0..<2 {
                guard try await !self.s3.listParts(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID).isEmpty else {
                    return true
                }
                try await self.s3.abortMultipartUpload(bucket: self.bucket, key: upload.key, uploadID: upload.uploadID)
            }
            return false
        } catch let error as S3Error where error.code == .noSuchUpload || error.code == .noSuchKey {
            return true
        } catch let error as S3Error {
            self.logger.warning(
                "An upload in parts was not given up; the next look tries again",
                metadata: ["bucket": "\(self.bucket)", "error": "\(error)"]
            )
            return false
        }
    }
}
