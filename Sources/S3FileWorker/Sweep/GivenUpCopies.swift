import S3
import S3File

/// Removes what attempts at uploads had copied that were withdrawn, or failed, in the end. A worker takes nothing back itself: between its last
/// look at its lease and a deletion it may be stopped, and what it then deletes is what the next attempt has stored.
///
/// It is done when the upload's tmp object goes, marked as gone for good: from then on nobody can take the upload up, and nothing will ever be
/// stored at its key.
struct GivenUpCopies: Sendable {
    let s3: S3Client
    let queue: UploadQueue
    let capabilities: StoreCapabilities

    /// - Parameter tmpKeys: of tmp objects that are marked, and still there.
    /// - Returns: how many copies went, and the tmp keys of those that did not, which must stay for the next pass to find.
    func remove(tmpBucket: String, tmpKeys: [String]) async throws -> (removed: Int, left: [String: S3Error.Code]) {
        var removed = 0
        var left: [String: S3Error.Code] = [:]
        for upload in try await self.queue.givenUp(tmpBucket: tmpBucket, keys: tmpKeys) {
            do {
                if try await self.remove(upload) { removed += 1 }
            } catch let error as S3Error {
                left[upload.tmpKey] = error.code
            }
        }
        return (removed, left)
    }

    private func remove(_ upload: GivenUpUpload) async throws -> Bool {
        let head: S3ObjectHead
        do {
            head = try await self.s3.headObject(bucket: upload.bucket, key: upload.key)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return false
        }
        guard head.stampedUpload == upload.id else { return false }
        let isFenced = await self.capabilities.capabilities(from: upload.bucket, to: upload.bucket).deleteIfMatch
        return try await self.s3.deleteObject(bucket: upload.bucket, key: upload.key, seenAs: head, isFenced: isFenced)
    }
}

extension S3Client {
    /// Deletes an object that was looked at, if it is still that one: by its version, or its ETag where the store honours that.
    ///
    /// - Returns: false when it is another by now.
    func deleteObject(bucket: String, key: String, seenAs head: S3ObjectHead, isFenced: Bool) async throws -> Bool {
        let version = head.versionID.flatMap { $0 == "null" ? nil : $0 }
        do {
            try await self.deleteObject(
                bucket: bucket,
                key: key,
                versionID: version,
                ifMatch: isFenced && version == nil ? head.etag : nil
            )
        } catch let error as S3Error where error.code == .preconditionFailed {
            return false
        }
        return true
    }
}
