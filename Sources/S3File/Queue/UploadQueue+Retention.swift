import CoreMetrics
package import Foundation
import Postgres

extension UploadQueue {
    /// Forgets ended uploads that are old enough, a batch at a time; `nil` keeps for ever.
    ///
    /// - Parameter after: where the last batch ended; `nil` to begin.
    /// - Returns: where to go on, `nil` at the end; and how many records went.
    package func prune(
        storedFor stored: Duration?,
        unstoredFor unstored: Duration?,
        after: UUID?,
        limit: Int
    ) async throws -> (next: UUID?, pruned: Int) {
        let row = try await self.client.query(
            """
            select * from s3file.prune(
                stored_age => make_interval(secs => \(stored.map(Self.seconds))), unstored_age => make_interval(secs => \(unstored.map(Self.seconds))),
                after => \(after), at_most => \(Int32(limit)))
            """
        )[0]
        let pruned = try row["pruned", Int.self]
        self.metrics.prunedUploads.increment(by: pruned)
        return (try row["next_after", UUID?.self], pruned)
    }

    /// Forgets events that are older than `age`, the oldest first, at most `limit`.
    ///
    /// - Returns: how many went.
    package func pruneEvents(olderThan age: Duration, limit: Int) async throws -> Int {
        let count = try await self.client.query(
            "select s3file.prune_events(age => make_interval(secs => \(Self.seconds(age))), at_most => \(Int32(limit))) as count"
        )[0]["count", Int.self]
        self.metrics.prunedEvents.increment(by: count)
        return count
    }
}
