import Logging
import S3
package import S3File

/// What a worker does in the store; when, and for which upload, is the queue's matter. The benchmarks of the queue put in one that does
/// nothing, so that they measure all the rest as it runs in production.
package protocol StoreWork: Sendable {
    /// Copies a job's object to its key, and says how it ended.
    func move(_ attempt: Attempt) async -> Outcome

    /// Deletes the tmp objects of stored uploads, all of one bucket and at most 1,000.
    ///
    /// - Returns: those that are gone, and the code of a failure among the others.
    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?)
}

/// The real thing.
struct S3StoreWork: StoreWork {
    let s3: S3Client
    let options: WorkerPool.Options
    let capabilities: StoreCapabilities

    init(connections: Connections, options: WorkerPool.Options, logger: Logger) {
        self.s3 = connections.s3
        self.options = options
        self.capabilities = StoreCapabilities(s3: connections.s3, prefix: connections.configuration.tmpPrefix, logger: logger)
    }

    func move(_ attempt: Attempt) async -> Outcome {
        let job = attempt.job
        let capabilities = await self.capabilities.capabilities(from: job.tmpBucket, to: job.bucket)
        return await Mover(s3: self.s3, options: self.options, capabilities: capabilities, attempt: attempt).move()
    }

    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        // An object that was posted again since is not the one that was stored. It goes with the sweep, when its form can no longer be posted.
        let isFenced = await self.capabilities.known(from: bucket).batchDeleteIfMatch
        let result = try await self.s3.deleteObjects(
            bucket: bucket,
            objects.map {
                S3ObjectIdentifier(key: $0.key, versionID: $0.versionID, ifMatch: isFenced && $0.versionID == nil ? $0.etag : nil)
            }
        )
        let failures = result.errors.filter { $0.error.code != .preconditionFailed }
        let failed = Set(failures.map { Array($0.object.key.utf8) })
        return (objects.filter { !failed.contains(Array($0.key.utf8)) }, failures.first.map { "\($0.error.code)" })
    }
}
