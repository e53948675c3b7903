package import Foundation
import Postgres

/// How one queue stands.
package struct QueueReading: Sendable, Equatable {
    package var queue: String
    package var isPaused: Bool
    /// Jobs that could be claimed now, and those for later: held, or waiting for another try.
    package var due, later: Int64
    package var moving: Int64
    /// How long the oldest due job has been due, in seconds; 0 when there is none.
    package var oldestSeconds: Double
    /// Whether the numbers are the planner's: beyond a bound nothing is counted.
    package var isEstimated: Bool
}

/// How the upkeep stands.
package struct UpkeepReading: Sendable, Equatable {
    /// Whose lease is good, and whose ran out and was not taken yet.
    package var workers, lateWorkers: Int64
    /// Batches of tmp objects that are still to be deleted; counted to a thousand.
    package var tmpBatches: Int64
    /// For how many seconds each task has been due, negative while it is not.
    package var overdue: [String: Double]
    /// Postgres's clock.
    package var now: Date
}

extension UploadQueue {
    /// Up to so many jobs of a queue are counted; beyond it the planner's estimate is taken.
    package static let countedJobs = 10_000

    /// How the queues stand, at most a hundred of them, and the upkeep: in one round trip, at a price that does not grow with the backlog.
    package func reading() async throws -> (queues: [QueueReading], upkeep: UpkeepReading) {
        let results = try await self.client.pipeline(
            [
                "select * from s3file.queue_reading(\(Int32(Self.countedJobs)))",
                "select * from s3file.upkeep_reading()",
            ],
            timeout: .after(.seconds(2))
        )
        return (try results[0].map(QueueReading.init(row:)), try UpkeepReading(row: results[1][0]))
    }
}

extension QueueReading {
    init(row: PostgresRow) throws {
        self.init(
            queue: try row["queue", String.self],
            isPaused: try row["paused", Bool.self],
            due: try row["due", Int64.self],
            later: try row["later", Int64.self],
            moving: try row["moving", Int64.self],
            oldestSeconds: try row["oldest_seconds", Double.self],
            isEstimated: try row["estimated", Bool.self]
        )
    }
}

extension UpkeepReading {
    init(row: PostgresRow) throws {
        let tasks = try row["tasks", [String].self]
        let overdue = try row["overdue_seconds", [Double].self]
        self.init(
            workers: try row["workers", Int64.self],
            lateWorkers: try row["late_workers", Int64.self],
            tmpBatches: try row["tmp_batches", Int64.self],
            overdue: Dictionary(zip(tasks, overdue)) { first, _ in first },
            now: try row["now", Date.self]
        )
    }
}
