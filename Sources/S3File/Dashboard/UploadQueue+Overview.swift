import Foundation
import Postgres

extension UploadQueue {
    /// How far back ``Overview/Rates`` look.
    package static let ratedMinutes = 10

    /// Everything that the dashboard shows first: one round trip, at a price that does not grow with what there is.
    package func overview() async throws -> Overview {
        let results = try await self.client.pipeline(
            [
                "select * from s3file.queue_reading(\(Int32(Self.countedJobs)))",
                "select * from s3file.upkeep_reading()",
                "select * from s3file.rates(minutes => \(Int32(Self.ratedMinutes)))",
                "select * from s3file.failures()",
                "select * from s3file.bucket_reading()",
                "select * from s3file.worker_reading()",
            ],
            timeout: .after(.seconds(5))
        )
        let upkeep = try UpkeepReading(row: results[1][0])
        return Overview(
            readAt: upkeep.now,
            queues: try results[0].map(QueueReading.init(row:)),
            upkeep: upkeep,
            rates: try Overview.Rates(row: results[2][0]),
            failures: try results[3].map(Overview.FailureGroup.init(row:)),
            buckets: try results[4].map(Overview.BucketReading.init(row:)),
            workers: try results[5].map(Overview.WorkerReading.init(row:))
        )
    }
}

extension Overview.Rates {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            stored: try row["stored", [Int64].self],
            failed: try row["failed", [Int64].self],
            covers: try row["covers", Double.self],
            sampled: try row["sampled", Int64.self],
            meanSize: try row["mean_size", Double?.self],
            median: try row["median_seconds", Double?.self],
            p95: try row["p95_seconds", Double?.self]
        )
    }
}

extension Overview.FailureGroup {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            code: try row["error_code", String.self],
            failed: try row["failed", Int64.self],
            trying: try row["trying", Int64.self],
            isWhole: try row["is_whole", Bool.self],
            newest: try row["newest", UUID.self],
            newestAt: try row["newest_at", Date.self],
            message: try row["message", String?.self],
            isRetryable: try row["retryable", Bool?.self] ?? false
        )
    }
}

extension Overview.BucketReading {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            bucket: try row["bucket", String.self],
            refusedBy: try row["refused_by", Int64.self],
            refusedSince: try row["refused_since", Date?.self],
            code: try row["code", String?.self],
            slowedFor: try row["slowed_for", Int64.self],
            limit: try row["request_limit", Int64?.self],
            most: try row["request_most", Int64?.self]
        )
    }
}

extension Overview.WorkerReading {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row["id", Int64.self],
            host: try row["host", String.self],
            pid: try row["pid", Int32.self],
            version: try row["version", String.self],
            queues: try row["queues", [String]?.self],
            isDraining: try row["draining", Bool.self],
            slots: try row["slots", Int32?.self],
            moving: try row["moving", Int64.self],
            startedAt: try row["started_at", Date.self],
            seenAt: try row["seen_at", Date.self],
            expiresAt: try row["expires_at", Date.self]
        )
    }
}
