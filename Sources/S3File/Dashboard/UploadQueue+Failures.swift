package import Foundation
import Postgres

extension UploadQueue {
    /// Of one statement that queues failed uploads again, and how long all of one call may take.
    static let retriedAtOnce: Int32 = 500
    static let retryingTime = Duration.seconds(8)

    /// What became of failed uploads that were queued again.
    package struct RetriedFailures: Sendable, Equatable {
        package var retried: Int
        /// Those whose bytes, or whose queue, are gone.
        package var lost: Int
        /// There are more of them than there was time for.
        package var hasMore: Bool
    }

    /// Queues again all that have failed with one error, batch by batch.
    ///
    /// - Parameter patience: after so long it says that there are more.
    package func retryFailed(code: String, patience: Duration = Self.retryingTime) async throws -> RetriedFailures {
        let end = ContinuousClock.now + patience
        var (retried, failed) = (0, 0)
        var last: UUID?
        repeat {
            let row = try await self.client.query(
                "select * from s3file.retry_failed(error_code => \(code), after => \(last), at_most => \(Self.retriedAtOnce))",
                timeout: .after(.seconds(10)),
                retryingConflicts: true
            )[0]
            retried += Int(try row["retried", Int64.self])
            failed += Int(try row["failed", Int64.self])
            last = try row["last_id", UUID?.self]
        } while last != nil && ContinuousClock.now < end && !Task.isCancelled
        return RetriedFailures(retried: retried, lost: failed - retried, hasMore: last != nil)
    }

    /// One page of those that have an error, the newest first: failed ones, and those that wait for another try.
    package func page(withError code: String, after: UUID?, limit: Int) async throws -> (uploads: [QueuedUpload], next: UUID?) {
        let ids = try await self.client.query(
            "select * from s3file.with_error(error_code => \(code), after => \(after), at_most => \(Int32(limit))) as id",
            timeout: .after(.seconds(5))
        ).map { try $0["id", UUID.self] }
        let found = try await self.queued(ids)
        return (ids.compactMap { found[$0] }, ids.count == limit ? ids.last : nil)
    }

    /// Uploads by their id, a key, a tmp key, how one of these begins, or their owner; at most so many.
    package func search(_ text: String, limit: Int) async throws -> [QueuedUpload] {
        var ids = try await self.client.query(
            "select id from s3file.search(what => \(text), at_most => \(Int32(limit)))",
            timeout: .after(.seconds(5))
        ).map { try $0["id", UUID.self] }
        if let id = UUID(uuidString: text) { ids.insert(id, at: 0) }
        let found = try await self.queued(ids)
        var seen: Set<UUID> = []
        return ids.compactMap { seen.insert($0).inserted ? found[$0] : nil }
    }

    /// Pauses a queue, or lets it go on.
    ///
    /// - Returns: false when there is none with this name; none is made.
    package func setPaused(_ name: String, _ isPaused: Bool) async throws -> Bool {
        try await !self.client.query(
            """
            select (s3file.set_queue(name => q.name, paused => \(isPaused))).name::text as name from s3file.queue q where q.name = \(name)
            """,
            timeout: .after(.seconds(5))
        ).isEmpty
    }

    /// Whom Postgres takes this process for.
    package func currentRole() async throws -> String {
        try await self.client.query("select current_user::text as role", timeout: .after(.seconds(2)))[0]["role", String.self]
    }
}
