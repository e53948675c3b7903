package import Foundation
import Postgres

/// An upload as it is compared with the store.
package struct ComparedUpload: Sendable, Equatable {
    /// As in `s3file.upload`: what is queued and what moves is one here.
    package enum State: Int16, Sendable {
        case waiting = 0
        case stored = 2
        case failed, cancelled, expired
    }

    package var id: UUID
    package var state: State
    package var bucket: String
    /// `nil` of an expired tmp object that no form claimed.
    package var key: String?
    package var size: Int64
    package var etag: String
    package var versionID: String?
    /// As the store said when it was stored.
    package var storedETag: String?
    package var storedVersionID: String?
    package var tmpBucket: String
    package var tmpKey: String
    /// Whether the tmp object was given up.
    package var isTmpDeleted: Bool
    package var attempt: Int16
    package var errorCode: String?
    package var updatedAt: Date
    package var finishedAt: Date?
    /// Whether it is in the queue.
    package var hasJob: Bool
    /// The database's clock when this was read.
    package var readAt: Date

    /// Whether nothing has happened to it between two looks.
    package func isUnchanged(since earlier: ComparedUpload) -> Bool {
        self.state == earlier.state && self.attempt == earlier.attempt && self.updatedAt == earlier.updatedAt
            && self.isTmpDeleted == earlier.isTmpDeleted
    }
}

/// A job that stands still.
package struct StuckJob: Sendable, Hashable {
    package enum Reason: String, Sendable {
        /// It is of nothing that waits.
        case noUpload = "no_upload"
        /// There is no queue of its queue's name.
        case noQueue = "no_queue"
        /// Its worker has not been heard of for long, and nobody took the job back.
        case workerLost = "worker_lost"
        /// Its worker lives, and has not got on with it.
        case silent
        /// It is due, and no worker took it.
        case unclaimed
    }

    package var id: UUID
    package var reason: Reason
    package var attempt: Int16
    package var queue: String
    package var since: Date?
    package var worker: Int64?
}

extension UploadQueue {
    /// A page of the uploads that have a key in this bucket, in the order of their keys' bytes, as S3 lists.
    ///
    /// - Parameters:
    ///   - first: no key before this.
    ///   - after: the last key of the page before; empty to begin.
    package func compared(bucket: String, from first: String, after: String, limit: Int) async throws -> [ComparedUpload] {
        try await self.client.query(
            "select * from s3file.compared_by_key(bucket => \(bucket), first => \(first), after => \(after), at_most => \(Int32(limit)))"
        ).map(ComparedUpload.init(row:))
    }

    /// The same by their tmp keys.
    package func compared(tmpBucket: String, from first: String, after: String, limit: Int) async throws -> [ComparedUpload] {
        try await self.client.query(
            """
            select * from s3file.compared_by_tmp_key(
                tmp_bucket => \(tmpBucket), first => \(first), after => \(after), at_most => \(Int32(limit)))
            """
        ).map(ComparedUpload.init(row:))
    }

    /// These uploads as they are now: by id, or by the key that they have in a bucket.
    package func comparedAgain(_ ids: [UUID], bucket: String? = nil, keys: [String] = []) async throws -> [ComparedUpload] {
        guard !ids.isEmpty || !keys.isEmpty else { return [] }
        return try await self.client.query(
            "select * from s3file.compared_again(upload_ids => \(ids), bucket => \(bucket), keys => \(keys))"
        ).map(ComparedUpload.init(row:))
    }

    /// Buckets that the record names besides this one; the first few.
    package func otherBuckets(than bucket: String) async throws -> [String] {
        try await self.client.query("select s3file.other_buckets(bucket => \(bucket)) as bucket").map {
            try $0["bucket", String.self]
        }
    }

    /// Of a page of jobs those that stand still.
    ///
    /// - Parameters:
    ///   - due: how long a job may be due before it counts.
    ///   - silent: how long a worker may say nothing of one.
    ///   - dead: how long a worker may not have been heard of.
    /// - Returns: those, and after which one to go on; `nil` at the end.
    package func stuckJobs(
        after: UUID?,
        limit: Int,
        due: Duration,
        silent: Duration,
        dead: Duration
    ) async throws -> (jobs: [StuckJob], next: UUID?) {
        let rows = try await self.client.query(
            """
            select * from s3file.stuck_jobs(
                after => \(after), at_most => \(Int32(limit)), due_for => make_interval(secs => \(Self.seconds(due))),
                silent_for => make_interval(secs => \(Self.seconds(silent))), dead_for => make_interval(secs => \(Self.seconds(dead))))
            """
        )
        let jobs = try rows.compactMap { row -> StuckJob? in
            guard let reason = try row["reason", String?.self].flatMap(StuckJob.Reason.init(rawValue:)) else { return nil }
            return StuckJob(
                id: try row["upload_id", UUID.self],
                reason: reason,
                attempt: try row["attempt", Int16.self],
                queue: try row["queue", String.self],
                since: try row["since", Date?.self],
                worker: try row["worker", Int64?.self]
            )
        }
        // The last row is the page's last job, whether it stands still or not.
        return (jobs, rows.isEmpty ? nil : try rows[rows.count - 1]["upload_id", UUID.self])
    }

    // MARK: Repairs

    /// Has a stored upload stored again from its tmp object.
    ///
    /// - Returns: whether it was still as it had been found. So do the others.
    package func storeAgain(_ upload: ComparedUpload) async throws -> Bool {
        try await self.repaired("s3file.store_again(upload_id => \(upload.id), attempt => \(upload.attempt))")
    }

    /// Takes a failed upload up again.
    package func takeUp(_ upload: ComparedUpload) async throws -> Bool {
        try await self.repaired("s3file.take_up(upload_id => \(upload.id), attempt => \(upload.attempt))")
    }

    /// Forgets a stored upload whose object is gone.
    package func forgetStored(_ upload: ComparedUpload) async throws -> Bool {
        try await self.repaired("s3file.forget_stored(upload_id => \(upload.id), attempt => \(upload.attempt))")
    }

    /// Sees to it that no worker will ever take this object for stored, so that it can be deleted.
    ///
    /// - Parameters:
    ///   - upload: with an attempt, a cancelled upload whose copy it is; else what its stamp says, of which there is no record.
    package func buryCopy(
        of upload: UUID,
        attempt: Int16?,
        bucket: String,
        key: String,
        size: Int64,
        etag: String
    ) async throws -> Bool {
        try await self.repaired(
            """
            s3file.bury_copy(upload_id => \(upload), attempt => \(attempt), bucket => \(bucket), key => \(key), size => \(size), etag => \(etag))
            """
        )
    }

    /// Gives uploads that wait without a job theirs, and takes jobs away that are of nothing that waits.
    package func mendJobs(_ ids: [UUID]) async throws -> Bool {
        try await self.repaired("s3file.mend_jobs(upload_ids => \(ids)) > 0")
    }

    private func repaired(_ call: SQL) async throws -> Bool {
        try await self.client.query("select \(fragment: call) as done")[0]["done", Bool.self]
    }
}

extension ComparedUpload {
    init(row: PostgresRow) throws {
        let number = try row["state", Int16.self]
        guard let state = State(rawValue: number) else {
            throw ConfigurationError(
                "The upload table has a state that this version does not know: \(number). Update this program."
            )
        }
        self.init(
            id: try row["id", UUID.self],
            state: state,
            bucket: try row["bucket", String.self],
            key: try row["key", String?.self],
            size: try row["size", Int64.self],
            etag: try row["etag", String.self],
            versionID: try row["version_id", String?.self],
            storedETag: try row["stored_etag", String?.self],
            storedVersionID: try row["stored_version_id", String?.self],
            tmpBucket: try row["tmp_bucket", String.self],
            tmpKey: try row["tmp_key", String.self],
            isTmpDeleted: try row["tmp_deleted", Bool.self],
            attempt: try row["attempt", Int16.self],
            errorCode: try row["error_code", String?.self],
            updatedAt: try row["updated_at", Date.self],
            finishedAt: try row["finished_at", Date?.self],
            hasJob: try row["has_job", Bool.self],
            readAt: try row["read_at", Date.self]
        )
    }
}
