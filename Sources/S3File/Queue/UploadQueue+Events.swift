package import Foundation
import Postgres

/// A change of status that was noted.
package struct UploadEvent: Sendable, Equatable {
    package var id: Int64
    package var at: Date
    package var uploadID: UUID
    package var status: UploadStatus
    package var attempt: Int
}

extension UploadQueue {
    /// How far back a replay reads, in events of a batch of uploads each, and how many changes of uploads there may be in these.
    package static let longestReplay: Int64 = 5_000
    package static let largestReplay = 20_000
    /// Of those that are asked for.
    package static let mostReplayed = 1_000

    /// The newest ids of all, some of them at least.
    package func newestEvents() async throws -> [Int64] {
        try await self.client.query(
            "select distinct event_id from (select event_id from s3file.upload_event order by event_id desc limit 500) newest",
            timeout: .after(.seconds(5))
        ).map { try $0["event_id", Int64.self] }
    }

    /// What each event after a position was about, in their order, and the late ones before it.
    package func events(after last: Int64, gaps: [Int64], limit: Int) async throws -> [(id: Int64, uploads: [UUID])] {
        let late: SQL =
            gaps.isEmpty
            ? SQL("") : " union all select event_id, upload_id from s3file.upload_event where event_id = any(\(gaps))"
        return try await self.client.query(
            """
            select event_id, array_agg(upload_id) as uploads
              from (select event_id, upload_id from s3file.upload_event where event_id > \(last)\(fragment: late)) e
             group by event_id order by event_id limit \(Int64(limit))
            """,
            timeout: .after(.seconds(5))
        ).map { (try $0["event_id", Int64.self], try $0["uploads", [UUID].self]) }
    }

    /// How these uploads stood one after the other, since an event; nothing when that is too long ago, or too much happened since.
    package func events(of ids: [UUID], after event: Int64) async throws -> [UploadEvent] {
        // The number came from a client.
        guard !ids.isEmpty, event <= Int64.max - Self.longestReplay else { return [] }
        return try await self.client.query(
            """
            select event_id, at, upload_id, status, attempt
              from (select *, count(*) over () as changes
                      from (select event_id, at, upload_id, status, attempt from s3file.upload_event
                             where event_id > \(event)
                               and \(event + Self.longestReplay)
                                   >= (select event_id from s3file.upload_event order by event_id desc limit 1)
                             order by event_id limit \(Int64(Self.largestReplay + 1))) since) counted
             where upload_id = any(\(ids)) and changes <= \(Int64(Self.largestReplay))
             order by event_id limit \(Int64(Self.mostReplayed))
            """,
            timeout: .after(.seconds(5))
        ).compactMap { row in
            guard let status = UploadStatus(rawValue: try row["status", String.self]) else { return nil }
            return UploadEvent(
                id: try row["event_id", Int64.self],
                at: try row["at", Date.self],
                uploadID: try row["upload_id", UUID.self],
                status: status,
                attempt: Int(try row["attempt", Int16.self])
            )
        }
    }
}
