package import Foundation
import Postgres

/// A pass over the tmp objects of one place, which one process at a time has. Lost after ``UploadQueue/sweepLease`` without a word.
package struct SweepPass: Sendable, Equatable {
    package var bucket: String
    package var prefix: String
    /// Fences what is noted of it.
    package var token: Int64
    /// Behind which key it goes on; empty at the beginning.
    package var after: String
    /// The database's clock when it began.
    package var beganAt: Date
}

/// Who looks for stale tmp objects in a place, and what the last pass came to.
package struct SweepState: Sendable, Equatable {
    package var holder: String
    /// While a pass is under way: until when its holder is waited for.
    package var expiresAt: Date?
    package var beganAt: Date?
    package var endedAt: Date?
    package var listed: Int64
    package var removed: Int64
    package var bytesFreed: Int64
}

extension UploadQueue {
    /// For how long a pass is its holder's after each page.
    package static let sweepLease = Duration.seconds(120)

    /// Takes the turn at a pass, or goes on with one that its holder left.
    ///
    /// - Parameters:
    ///   - holder: names this process to people.
    ///   - interval: no pass begins by itself before that much after this one began.
    ///   - anew: begins now, whether one is due or not.
    /// - Returns: `nil` when another process has it, or it is not due.
    package func beginSweep(
        bucket: String,
        prefix: String,
        holder: String,
        every interval: Duration,
        anew: Bool = false
    ) async throws -> SweepPass? {
        try await self.client.query(
            """
            select * from s3file.begin_sweep(
                bucket => \(bucket), prefix => \(prefix), holder => \(holder), every => make_interval(secs => \(Self.seconds(interval))),
                lease => make_interval(secs => \(Self.seconds(Self.sweepLease))), anew => \(anew))
            """
        ).first.map { row in
            SweepPass(
                bucket: bucket,
                prefix: prefix,
                token: try row["token", Int64.self],
                after: try row["after", String.self],
                beganAt: try row["now", Date.self]
            )
        }
    }

    /// Notes how far a pass is, and what came about since it was noted last.
    ///
    /// - Parameter after: the last key that is done with; `nil` leaves it.
    /// - Returns: whether the pass is still ours.
    package func keep(
        _ pass: SweepPass,
        after: String? = nil,
        listed: Int = 0,
        removed: Int = 0,
        bytesFreed: Int64 = 0,
        failed: Int = 0
    ) async throws -> Bool {
        try await self.client.query(
            """
            select s3file.keep_sweep(
                bucket => \(pass.bucket), prefix => \(pass.prefix), token => \(pass.token),
                lease => make_interval(secs => \(Self.seconds(Self.sweepLease))), after => \(after),
                listed => \(Int64(listed)), removed => \(Int64(removed)), bytes_freed => \(bytesFreed), failed => \(Int64(failed))) as kept
            """
        )[0]["kept", Bool.self]
    }

    /// Ends a pass; one that is not done is gone on with by whoever looks next.
    package func end(_ pass: SweepPass, done: Bool) async throws {
        _ = try await self.client.query(
            "select s3file.end_sweep(bucket => \(pass.bucket), prefix => \(pass.prefix), token => \(pass.token), done => \(done))"
        )
    }

    /// `nil` where nobody ever swept.
    package func sweepState(bucket: String, prefix: String) async throws -> SweepState? {
        try await self.client.query(
            """
            select holder, expires_at, began_at, ended_at, listed, removed, bytes_freed from s3file.sweep
             where bucket = \(bucket) and prefix = \(prefix)
            """
        ).first.map { row in
            SweepState(
                holder: try row["holder", String.self],
                expiresAt: try row["expires_at", Date?.self],
                beganAt: try row["began_at", Date?.self],
                endedAt: try row["ended_at", Date?.self],
                listed: try row["listed", Int64.self],
                removed: try row["removed", Int64.self],
                bytesFreed: try row["bytes_freed", Int64.self]
            )
        }
    }

    /// Which of these tmp objects ``expire(tmpBucket:objects:)`` would give to delete. Marks nothing.
    package func expirable(tmpBucket: String, keys: [String]) async throws -> [String] {
        guard !keys.isEmpty else { return [] }
        return try await self.client.query(
            """
            select s3file.expirable(
                tmp_bucket => \(tmpBucket), keys => \(keys), failed_life => make_interval(secs => \(Self.seconds(Self.failedLifetime)))) as tmp_key
            """
        ).map { try $0["tmp_key", String.self] }
    }

    /// The database's clock.
    package func now() async throws -> Date {
        try await self.client.query("select now() as now")[0]["now", Date.self]
    }
}
