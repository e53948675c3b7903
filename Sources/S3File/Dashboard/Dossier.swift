package import Foundation
import Postgres

/// All that is known of one upload, for those who run this. Nothing in it opens an object.
package struct Dossier: Sendable {
    /// One change of status.
    package struct Event: Sendable, Equatable {
        package var at: Date
        package var status: UploadStatus
        package var attempt: Int
        /// Who noted it; nil for the web side and the upkeep.
        package var worker: Int64?
    }

    package var upload: Upload
    package var queue: String
    package var priority: Int
    package var nextAttemptAt: Date?
    package var cancelRequested: Bool
    package var startedAt: Date?
    package var finishedAt: Date?
    package var guarantee: String?
    package var tmpBucket: String
    package var tmpKey: String
    package var tmpIsDeleted: Bool
    package var etag: String
    package var versionID: String?
    package var storedETag: String?
    package var storedVersionID: String?
    package var traceparent: String?
    /// The oldest first. That it was enqueued is the upload's ``Upload/createdAt``.
    package var events: [Event]
    /// False when events may be missing: there were too many of other uploads meanwhile.
    package var isWhole: Bool
    /// Postgres's clock.
    package var readAt: Date
}

extension UploadQueue {
    /// All that is known of one upload, in one round trip; `nil` when there is none with this id.
    package func dossier(of id: UUID) async throws -> Dossier? {
        let results = try await self.client.pipeline(
            [
                """
                select \(unescaped: Self.uploadColumns), queue, priority, next_attempt_at, cancel_requested, started_at, finished_at,
                       guarantee, now() as read_at
                  from s3file.upload_status where id = \(id)
                """,
                "select * from s3file.whereabouts(\(id))",
                "select * from s3file.timeline(\(id))",
            ],
            timeout: .after(.seconds(5))
        )
        guard let row = results[0].first, let place = results[1].first, let times = results[2].first else { return nil }
        return Dossier(
            upload: try Upload(row: row),
            queue: try row["queue", String.self],
            priority: Int(try row["priority", Int16.self]),
            nextAttemptAt: try row["next_attempt_at", Date?.self],
            cancelRequested: try row["cancel_requested", Bool.self],
            startedAt: try row["started_at", Date?.self],
            finishedAt: try row["finished_at", Date?.self],
            guarantee: try row["guarantee", String?.self],
            tmpBucket: try place["tmp_bucket", String.self],
            tmpKey: try place["tmp_key", String.self],
            tmpIsDeleted: try place["tmp_deleted", Bool.self],
            etag: try place["etag", String.self],
            versionID: try place["version_id", String?.self],
            storedETag: try place["stored_etag", String?.self],
            storedVersionID: try place["stored_version_id", String?.self],
            traceparent: try place["traceparent", String?.self],
            events: try Self.events(times),
            isWhole: try times["is_whole", Bool.self],
            readAt: try row["read_at", Date.self]
        )
    }

    private static func events(_ row: PostgresRow) throws -> [Dossier.Event] {
        guard let times = try row["ats", [Date]?.self] else { return [] }
        let (words, attempts) = (try row["statuses", [String].self], try row["attempts", [Int16].self])
        let workers = try row["workers", [Int64?].self]
        return zip(times.indices, times).compactMap { place, at in
            UploadStatus(rawValue: words[place]).map {
                Dossier.Event(at: at, status: $0, attempt: Int(attempts[place]), worker: workers[place])
            }
        }
    }
}
