package import Foundation

/// How everything stands, as the dashboard shows it first.
package struct Overview: Sendable, Equatable {
    /// Postgres's clock, by which all ages are told.
    package var readAt: Date
    package var queues: [QueueReading]
    package var upkeep: UpkeepReading
    package var rates: Rates
    package var failures: [FailureGroup]
    package var buckets: [BucketReading]
    package var workers: [WorkerReading]

    /// How much was done of late.
    package struct Rates: Sendable, Equatable {
        /// Uploads in each of the last minutes, the last one first: from now, not from the full minute.
        package var stored, failed: [Int64]
        /// How many seconds back the numbers reach; less than the minutes when there was more than is looked through.
        package var covers: Double
        /// From how many uploads the rest is told.
        package var sampled: Int64
        /// Bytes.
        package var meanSize: Double?
        /// Seconds from enqueued to stored.
        package var median, p95: Double?
    }

    /// What goes wrong for one reason.
    package struct FailureGroup: Sendable, Equatable {
        /// What S3 or we called it.
        package var code: String
        package var failed: Int64
        /// Those that wait for another try.
        package var trying: Int64
        /// False when there are more than were counted.
        package var isWhole: Bool
        /// The newest of them, of the failed ones when there are any.
        package var newest: UUID
        package var newestAt: Date
        package var message: String?
        /// Whether another try may help without anything being changed.
        package var isRetryable: Bool
    }

    /// How workers get on with one bucket.
    package struct BucketReading: Sendable, Equatable {
        package var bucket: String
        /// How many workers it refuses, since when, and why.
        package var refusedBy: Int64
        package var refusedSince: Date?
        package var code: String?
        /// How many workers it asked for fewer requests, how many they may have under way by now, and had before.
        package var slowedFor: Int64
        package var limit: Int64?
        package var most: Int64?
    }

    /// A worker that holds a lease, or held one until nobody has taken it.
    package struct WorkerReading: Sendable, Equatable {
        package var id: Int64
        package var host: String
        package var pid: Int32
        package var version: String
        /// Nil for all.
        package var queues: [String]?
        package var isDraining: Bool
        /// How many jobs it moves at a time; nil until it has said so.
        package var slots: Int32?
        package var moving: Int64
        package var startedAt, seenAt, expiresAt: Date
    }
}
