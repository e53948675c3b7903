package import Foundation
import Postgres

/// Which uploads a list shows. What is `nil` is not asked.
package struct UploadFilter: Sendable {
    package var statuses: [UploadStatus]?
    package var queue: String?
    package var owner: String?
    package var bucket: String?
    package var errorCode: String?
    /// Enqueued then or later.
    package var createdFrom: Date?
    /// Enqueued before.
    package var createdUntil: Date?

    package init() {}
}

/// An upload, and where it waits.
package struct QueuedUpload: Sendable, Identifiable {
    package var upload: Upload
    package var queue: String
    /// While it is queued.
    package var nextAttemptAt: Date?
    package var cancelRequested: Bool

    package var id: UUID { self.upload.id }
}

/// How a queue is.
package struct QueueStatistics: Sendable {
    package var name: String
    package var isPaused: Bool
    package var isFair: Bool
    package var maxInFlight: Int32?
    package var maxInFlightPerOwner: Int32?
    package var maxInFlightPerBucket: Int32?
    /// Uploads that a worker could take now.
    package var due: Int64
    /// Uploads that wait for their next attempt, or under a hold.
    package var later: Int64
    package var moving: Int64
    /// False when more wait than were counted.
    package var isWhole: Bool
    package var oldestDueAt: Date?
    /// Those that live and serve it.
    package var workers: Int64
}

/// What `s3file.set_queue` changes; `nil` keeps what is, and 0 takes a limit away.
package struct QueueChange: Sendable, Equatable {
    package var paused: Bool?
    package var fair: Bool?
    package var maxInFlight: Int32?
    package var maxInFlightPerOwner: Int32?
    package var maxInFlightPerBucket: Int32?

    package init(paused: Bool? = nil) {
        self.paused = paused
    }
}

/// What operators do by hand: see `migrations/0007_operators.sql`.
extension UploadQueue {
    /// How many uploads one statement of a list looks through.
    private static let lookThrough: Int32 = 20_000

    /// One page of a list, the newest first.
    ///
    /// - Parameters:
    ///   - after: goes on behind this one.
    ///   - limit: of the page. It may be shorter, also empty, and not be the last.
    /// - Returns: what fits, and where to go on; `nil` at the end.
    package func page(
        _ filter: UploadFilter,
        after: UUID? = nil,
        limit: Int
    ) async throws -> (uploads: [QueuedUpload], next: UUID?) {
        let page = try await self.client.query(
            """
            select ids, last_id from s3file.page(
                statuses => \(filter.statuses?.map(\.rawValue)), queue => \(filter.queue), owner => \(filter.owner),
                bucket => \(filter.bucket), error_code => \(filter.errorCode), created_from => \(filter.createdFrom),
                created_until => \(filter.createdUntil), after => \(after), at_most => \(Int32(limit)),
                look_through => \(Self.lookThrough))
            """
        )[0]
        let ids = try page["ids", [UUID].self]
        let found = try await self.queued(ids)
        // One that was pruned, or changed, since is left out.
        return (ids.compactMap { found[$0] }, try page["last_id", UUID?.self])
    }

    /// Those of these uploads that there are.
    package func queued(_ ids: [UUID]) async throws -> [UUID: QueuedUpload] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await self.client.query(
            """
            select \(unescaped: Self.uploadColumns), queue, next_attempt_at, cancel_requested
              from s3file.upload_status where id = any(\(ids)::uuid[])
            """
        )
        let uploads = try rows.map { row in
            QueuedUpload(
                upload: try Upload(row: row),
                queue: try row["queue", String.self],
                nextAttemptAt: try row["next_attempt_at", Date?.self],
                cancelRequested: try row["cancel_requested", Bool.self]
            )
        }
        return Dictionary(uploads.map { ($0.id, $0) }) { first, _ in first }
    }

    /// How all queues are.
    ///
    /// - Parameter limit: of the jobs that are counted in each.
    package func queueStatistics(countingTo limit: Int32 = 1_000_000) async throws -> [QueueStatistics] {
        try await self.client.query("select * from s3file.queue_stats(count_to => \(limit))").map { row in
            QueueStatistics(
                name: try row["name", String.self],
                isPaused: try row["paused", Bool.self],
                isFair: try row["fair", Bool.self],
                maxInFlight: try row["max_in_flight", Int32?.self],
                maxInFlightPerOwner: try row["max_in_flight_per_owner", Int32?.self],
                maxInFlightPerBucket: try row["max_in_flight_per_bucket", Int32?.self],
                due: try row["due", Int64.self],
                later: try row["later", Int64.self],
                moving: try row["moving", Int64.self],
                isWhole: try row["is_whole", Bool.self],
                oldestDueAt: try row["oldest_due_at", Date?.self],
                workers: try row["workers", Int64.self]
            )
        }
    }

    /// Makes a queue, or changes one.
    package func setQueue(_ name: String, _ change: QueueChange) async throws {
        _ = try await self.client.query(
            """
            select 1 from s3file.set_queue(
                name => \(name), paused => \(change.paused), fair => \(change.fair), max_in_flight => \(change.maxInFlight),
                max_in_flight_per_owner => \(change.maxInFlightPerOwner),
                max_in_flight_per_bucket => \(change.maxInFlightPerBucket))
            """
        )
    }

    /// Withdraws one upload.
    ///
    /// - Returns: whether it is cancelled. One that is moving ends when its worker settles.
    package func cancelOne(_ id: UUID) async throws -> Bool {
        try await self.client.query("select s3file.cancel(\(id)) as cancelled")[0]["cancelled", Bool.self]
    }
}
