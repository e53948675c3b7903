import S3
import S3File

/// Removes what attempts at uploads had copied that were withdrawn, or failed, in the end. A worker takes nothing back itself: between its last
/// look at its lease and a deletion it may be stopped, and what it then deletes is what the next attempt has stored.
///
/// It is done when the upload's tmp object goes, and is marked as gone for good: from then on nobody can take the upload up, and its key is
/// nobody else's while its row is there.
struct GivenUpCopies: Sendable {
    private static let concurrency = 8
    /// In a bucket with versions each attempt that copied over another has left one.
    private static let mostCopies = 40

    let s3: S3Client
    let capabilities: StoreCapabilities

    /// - Returns: how many copies went, and why others did not, by their tmp keys. Those tmp objects must stay, for the next pass to find.
    func remove(_ uploads: [GivenUpUpload]) async throws -> (removed: Int, left: [[UInt8]: S3Error.Code]) {
        try await withThrowingTaskGroup(of: (tmpKey: String, removed: Int, failure: S3Error.Code?).self) { group in
            var rest = uploads.makeIterator()
            func start() {
                guard let upload = rest.next() else { return }
                group.addTask {
                    var removed = 0
                    do {
                        while try await self.removeOne(upload) {
                            removed += 1
                            if removed == Self.mostCopies { return (upload.tmpKey, removed, .preconditionFailed) }
                        }
                        return (upload.tmpKey, removed, nil)
                    } catch let error as S3Error {
                        return (upload.tmpKey, removed, error.code)
                    }
                }
            }
            for _ in 0..<Self.concurrency { start() }
            var (removed, left): (Int, [[UInt8]: S3Error.Code]) = (0, [:])
            while let one = try await group.next() {
                removed += one.removed
                if let failure = one.failure { left[Array(one.tmpKey.utf8)] = failure }
                start()
            }
            return (removed, left)
        }
    }

    /// - Returns: whether one went; then there may be another.
    private func removeOne(_ upload: GivenUpUpload) async throws -> Bool {
        // Asked first, so that little time passes between the look and the deletion.
        let isFenced = await self.capabilities.capabilities(from: upload.bucket, to: upload.bucket).deleteIfMatch
        let head: S3ObjectHead
        do {
            head = try await self.s3.headObject(bucket: upload.bucket, key: upload.key)
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .notFound {
            return false
        }
        guard head.stampedUpload == upload.id else { return false }
        // One that came in between is looked at anew.
        _ = try await self.s3.deleteObject(bucket: upload.bucket, key: upload.key, seenAs: head, isFenced: isFenced)
        return true
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
