import Foundation
import Logging
package import S3File

/// One attempt at a job, as the move sees it: what to do, and what it may ask and tell of the queue.
package struct Attempt: Sendable {
    package let job: Job
    /// Called before each request: a worker whose lease may have run out starts none. It returns when the lease is
    /// certain again, and throws when it is lost.
    package let checkLease: @Sendable () async throws -> Void
    /// What was asked for it before its turn.
    var preparation: Preparation?
    private let record: any MoveRecord
    private let worker: Int64
    private let logger: Logger

    init(
        job: Job,
        worker: Int64,
        record: any MoveRecord,
        logger: Logger,
        checkLease: @escaping @Sendable () async throws -> Void
    ) {
        self.job = job
        self.worker = worker
        self.record = record
        self.logger = logger
        self.checkLease = checkLease
    }

    /// A logger whose lines say which attempt they are about.
    func naming(_ logger: Logger) -> Logger {
        var logger = logger
        logger[metadataKey: "upload"] = "\(self.job.id.uuidString.lowercased())"
        logger[metadataKey: "attempt"] = "\(self.job.attempt)"
        logger[metadataKey: "worker"] = "\(self.worker)"
        logger[metadataKey: "bucket"] = "\(self.job.bucket)"
        if let traceparent = self.job.traceparent { logger[metadataKey: "trace_id"] = "\(traceparent.traceID)" }
        return logger
    }

    /// Tells how many bytes of a long copy are done. It may get lost.
    func progress(_ copied: Int64) async {
        do {
            try await self.record.progress(of: self.job, worker: self.worker, copied: copied)
        } catch {
            self.logger.debug("Progress was not noted", metadata: ["upload": "\(self.job.id)", "error": "\(error)"])
        }
    }

    /// The plan of a copy in parts that an attempt before this one began.
    func plan() async throws -> MovePlan? {
        try await self.record.movePlan(of: self.job.id)
    }

    /// Notes the plan for whoever comes after.
    ///
    /// - Returns: false when the attempt is another worker's by now.
    func note(_ plan: MovePlan) async throws -> Bool {
        try await self.record.note(plan, of: self.job, worker: self.worker)
    }
}
