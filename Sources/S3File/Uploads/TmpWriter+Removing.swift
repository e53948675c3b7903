import Logging
import S3

/// What is in the tmp prefix, or may be.
package struct StreamedObject: Sendable, Hashable {
    package let key: String
    /// In a bucket with versions.
    var versionID: String?
    /// While it is not all there.
    var uploadID: String?
}

extension TmpWriter {
    /// For how long a refusal may let wait because of what is to be removed.
    static let patience = Duration.seconds(10)
    private static let removalsAtATime = 8

    /// Best effort; what cannot be removed in time is the sweep's.
    ///
    /// In a task of its own that is waited for: what is to be undone is undone though the request was cancelled.
    func remove(_ objects: [StreamedObject]) async {
        guard !objects.isEmpty else { return }
        do {
            try await Task {
                try await withDeadline(Self.patience) {
                    await withTaskGroup(of: Void.self) { group in
                        for (index, object) in objects.enumerated() {
                            if index >= Self.removalsAtATime { await group.next() }
                            group.addTask { await self.remove(object) }
                        }
                    }
                }
            }.value
        } catch {
            self.logger.info(
                "Files of a refused form are left to the sweep: S3 is slow",
                metadata: ["s3file.files": "\(objects.count)", "error": "\(error)"]
            )
        }
    }

    private func remove(_ object: StreamedObject) async {
        if let uploadID = object.uploadID {
            await self.attempt("give up an upload in parts", object) {
                try await self.storage.abortMultipartUpload(bucket: self.bucket, key: object.key, uploadID: uploadID)
            }
        }
        await self.attempt("delete a file", object) {
            try await self.storage.deleteObject(
                bucket: self.bucket,
                key: object.key,
                versionID: object.versionID,
                ifMatch: nil
            )
        }
    }

    private func attempt(_ what: String, _ object: StreamedObject, _ work: () async throws -> Void) async {
        do {
            try await work()
        } catch {
            self.logger.info(
                "Could not \(what) of a refused form; it is left to the sweep",
                metadata: ["s3file.key": "\(object.key)", "error": "\(error)"]
            )
        }
    }
}
