package import Foundation
import Postgres

extension UploadQueue {
    /// The most jobs of one claim.
    package static let largestClaim = 1_000

    /// Claims due jobs for a live worker, counting the attempt.
    ///
    /// - Parameters:
    ///   - queues: those that it serves; `nil` for all.
    ///   - lanes: where to read on, from an earlier claim. With `nil` it looks for all there are, and serves the fair queues too: a worker does
    ///     that every now and then, and whenever a claim comes back short.
    package func claim(worker: Int64, room: Int, queues: [String]?, lanes: [Lane]?) async throws -> [Job] {
        try self.claimed(
            try await self.client.query(
                Self.claimStatement(worker: worker, room: room, queues: queues, lanes: lanes),
                timeout: .after(.seconds(5))
            )
        )
    }

    private func claimed(_ rows: PostgresRows) throws -> [Job] {
        let jobs = try rows.map(Job.init(row:))
        if !jobs.isEmpty { self.metrics.claimed(jobs, at: try rows[0]["now", Date.self]) }
        return jobs
    }

    /// Settles and claims in one round trip and one commit. What is settled makes no room by itself: `room` is what the worker has.
    package func settleAndClaim(
        _ outcomes: [(job: Job, outcome: Outcome)],
        worker: Int64,
        room: Int,
        queues: [String]?,
        lanes: [Lane]?
    ) async throws -> (settled: [UUID: Settlement], jobs: [Job]) {
        let results = try await self.client.pipeline(
            [
                Self.settleStatement(outcomes, worker: worker),
                Self.claimStatement(worker: worker, room: room, queues: queues, lanes: lanes),
            ],
            timeout: .after(.seconds(5))
        )
        return (try Self.settlements(results[0]), try self.claimed(results[1]))
    }

    static func claimStatement(worker: Int64, room: Int, queues: [String]?, lanes: [Lane]?) -> SQL {
        """
        select *, now() as now from s3file.claim(
            worker => \(worker), room => \(Int32(max(0, min(room, Self.largestClaim)))), queues => \(queues),
            lane_queues => \(lanes?.map(\.queue)), lane_priorities => \(lanes?.map(\.priority)),
            lane_run_ats => \(lanes?.map(\.runAt)), lane_uploads => \(lanes?.map(\.uploadID)),
            takes_storage => true)
        """
    }

    /// Notes how many bytes a long copy has done. Fenced like a settle, and allowed to be lost.
    package func progress(of job: Job, worker: Int64, copied: Int64) async throws {
        _ = try await self.client.query(
            "select s3file.progress(worker => \(worker), upload_id => \(job.id), attempt => \(job.attempt), copied => \(copied))"
        )
    }
}

extension Job {
    init(row: PostgresRow) throws {
        self.init(
            id: try row["id", UUID.self],
            attempt: try row["attempt", Int16.self],
            maxAttempts: try row["max_attempts", Int16.self],
            filename: try row["filename", String.self],
            contentType: try row["content_type", String.self],
            size: try row["size", Int64.self],
            tmpBucket: try row["tmp_bucket", String.self],
            tmpKey: try row["tmp_key", String.self],
            etag: try row["etag", String.self],
            versionID: try row["version_id", String?.self],
            bucket: try row["bucket", String.self],
            key: try row["key", String.self],
            // The column's domain lets nothing else in than what this reads.
            storage: try row["storage", String?.self].map {
                try JSONDecoder().decode(StorageSettings.self, from: Data($0.utf8))
            },
            place: Lane(
                queue: try row["queue", String.self],
                priority: try row["priority", Int16.self],
                runAt: try row["run_at", Date.self],
                uploadID: try row["id", UUID.self]
            ),
            isFair: try row["fair", Bool.self],
            traceparent: try row["traceparent", String?.self].flatMap { Traceparent($0) }
        )
    }
}
