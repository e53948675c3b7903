import S3
package import S3File

/// What a worker does in the store; when, and for which upload, is the queue's matter. The benchmarks of the queue put in one that does
/// nothing, so that they measure all the rest as it runs in production.
package protocol StoreWork: Sendable {
    /// Copies a job's object to its key, and says how it ended.
    ///
    /// - Parameters:
    ///   - checkLease: called before each request: a worker whose lease may have run out starts none. It returns when it is certain again, and
    ///     throws when it is lost.
    ///   - progress: told of a long copy's bytes.
    func move(
        _ job: Job,
        checkLease: @escaping @Sendable () async throws -> Void,
        progress: @escaping @Sendable (Job, Int64) async -> Void
    ) async -> Outcome

    /// Deletes the tmp objects of stored uploads, all of one bucket and at most 1,000.
    ///
    /// - Returns: those that are gone, and the code of a failure among the others.
    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?)
}

/// The real thing.
struct S3StoreWork: StoreWork {
    let s3: S3Client
    let options: WorkerPool.Options

    func move(
        _ job: Job,
        checkLease: @escaping @Sendable () async throws -> Void,
        progress: @escaping @Sendable (Job, Int64) async -> Void
    ) async -> Outcome {
        await Mover(s3: self.s3, options: self.options, checkLease: checkLease, progress: progress).move(job)
    }

    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        let result = try await self.s3.deleteObjects(
            bucket: bucket,
            objects.map { S3ObjectIdentifier(key: $0.key, versionID: $0.versionID) }
        )
        let failed = Set(result.errors.map { Array($0.object.key.utf8) })
        return (objects.filter { !failed.contains(Array($0.key.utf8)) }, result.errors.first.map { "\($0.error.code)" })
    }
}
