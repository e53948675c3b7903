import Logging
import S3
package import S3File

/// What a worker does in the store; when, and for which upload, is the queue's matter. The benchmarks of the queue put in one that does
/// nothing, so that they measure all the rest as it runs in production.
package protocol StoreWork: Sendable {
    /// Finds out what moves are better off knowing of the store, and keeps that current, until it is cancelled. Moves run meanwhile.
    func keepInformed() async

    /// Whether a move asks something before it copies, which ``prepare(_:)`` can do before its turn.
    func asksFirst(_ attempt: Attempt) async -> Bool

    func prepare(_ attempt: Attempt) async -> Preparation?

    /// Copies a job's object to its key, and says how it ended.
    func move(_ attempt: Attempt) async -> Outcome

    /// Deletes the tmp objects of stored uploads, all of one bucket and at most 1,000.
    ///
    /// - Returns: those that are gone, and the code of a failure among the others.
    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?)
}

extension StoreWork {
    package func keepInformed() async {}
    package func asksFirst(_ attempt: Attempt) async -> Bool { false }
    package func prepare(_ attempt: Attempt) async -> Preparation? { nil }
}

/// The real thing.
struct S3StoreWork: StoreWork {
    let s3: S3Client
    let configuration: S3FileConfiguration
    let options: WorkerPool.Options
    let capabilities: StoreCapabilities

    init(connections: Connections, options: WorkerPool.Options, logger: Logger) {
        self.s3 = connections.s3
        self.configuration = connections.configuration
        self.options = options
        self.capabilities = StoreCapabilities(s3: connections.s3, prefix: connections.configuration.tmpPrefix, logger: logger)
    }

    func keepInformed() async {
        await self.capabilities.keepCurrent(from: self.configuration.tmpBucket, to: self.configuration.bucket)
    }

    /// Not before it is known what the store honours.
    func asksFirst(_ attempt: Attempt) async -> Bool {
        guard let known = await self.capabilities.known(from: attempt.job.tmpBucket, to: attempt.job.bucket) else { return false }
        return self.mover(attempt, known).asksFirst
    }

    func prepare(_ attempt: Attempt) async -> Preparation? {
        // What is known ends in time.
        guard let known = await self.capabilities.known(from: attempt.job.tmpBucket, to: attempt.job.bucket) else { return nil }
        return await self.mover(attempt, known).prepare()
    }

    func move(_ attempt: Attempt) async -> Outcome {
        let job = attempt.job
        if let known = await self.capabilities.known(from: job.tmpBucket, to: job.bucket) {
            return await self.mover(attempt, known).move()
        }
        // A new worker's first moves need not wait for what the store honours: looks before and after take the place of its conditions.
        if !job.dependsOnCapabilities(copyLimit: self.options.copyLimit) {
            let outcome = await self.mover(attempt, S3Capabilities()).move()
            guard outcome == .unproved else { return outcome }
        }
        return await self.mover(attempt, await self.capabilities.capabilities(from: job.tmpBucket, to: job.bucket)).move()
    }

    private func mover(_ attempt: Attempt, _ capabilities: S3Capabilities) -> Mover {
        Mover(s3: self.s3, options: self.options, capabilities: capabilities, attempt: attempt)
    }

    func deleteTmpObjects(_ objects: [TmpObject], bucket: String) async throws -> (gone: [TmpObject], failure: String?) {
        // An object that was posted again since is not the one that was stored. It goes with the sweep, when its form can no longer be posted.
        // Nobody waits for a deletion, so that it may wait for what the store honours.
        let isFenced = await self.capabilities.capabilities(ofSource: bucket).batchDeleteIfMatch
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

extension Job {
    /// Whether an attempt without any of the store's conditions would be a weaker one, or hardly come to anything: of a copy in parts, of a
    /// version, where there may be a copy already, and where the ETag, being no digest of the bytes, does not prove a copy.
    func dependsOnCapabilities(copyLimit: Int64) -> Bool {
        self.attempt > 1 || self.size > copyLimit || self.versionID.map { $0 != "null" } == true || self.etag.contains("-")
    }
}
