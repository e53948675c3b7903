package import Foundation
import Postgres

/// A tmp object whose upload is stored, and which is therefore to be deleted.
package struct TmpObject: Sendable, Hashable {
    package var id: UUID
    package var bucket: String
    package var key: String
    package var versionID: String?
}

extension Job {
    /// What is to be deleted once this job is stored.
    package var tmpObject: TmpObject {
        TmpObject(id: self.id, bucket: self.tmpBucket, key: self.tmpKey, versionID: self.versionID)
    }
}

extension UploadQueue {
    /// Tmp objects that a crash left behind: stored for longer than `age`, and not noted as deleted.
    package func tmpObjectsLeft(olderThan age: Duration, limit: Int) async throws -> [TmpObject] {
        try await self.client.query(
            """
            select id, tmp_bucket, tmp_key, version_id from s3file.upload
             where state = 2 and not tmp_deleted and finished_at < now() - make_interval(secs => \(Self.seconds(age)))
             order by finished_at limit \(unescaped: String(limit))
            """
        ).map { row in
            TmpObject(
                id: try row["id", UUID.self],
                bucket: try row["tmp_bucket", String.self],
                key: try row["tmp_key", String.self],
                versionID: try row["version_id", String?.self]
            )
        }
    }

    /// Notes that tmp objects are gone.
    package func noteTmpDeleted(_ ids: [UUID]) async throws {
        _ = try await self.client.query(
            "update s3file.upload set tmp_deleted = true where id = any(\(ids)::uuid[]) and not tmp_deleted"
        )
    }

    /// For how long the only copy of a failed upload's bytes is kept.
    package static let failedLifetime = Duration.seconds(7 * 86_400)

    /// Marks old tmp objects as expired before they are deleted, and tells which may be.
    ///
    /// A key that no upload ever claimed gets a row in status `expired`, so that a late form gets a clear answer instead of a lost
    /// file; the unique key decides the race between the two. Keys of queued and moving uploads are left alone, those of failed ones for a
    /// week, in which somebody may mend what was wrong; and stored files, wherever they lie.
    ///
    /// - Returns: the keys to delete.
    package func expire(tmpBucket: String, objects: [(key: String, size: Int64, etag: String)]) async throws -> [String] {
        guard !objects.isEmpty else { return [] }
        let rows = try await self.client.query(
            """
            with stale as materialized (
                select * from unnest(\(objects.map(\.key))::text[], \(objects.map(\.size))::bigint[], \(objects.map(\.etag))::text[])
                    as t(key, size, etag)),
            marked as (
                insert into s3file.upload as u
                    (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, tmp_deleted, bucket, finished_at,
                     error_code, error_message, error_retryable)
                select s3file.uuid_v7(), 5, regexp_replace(key, '^.*/', ''), 'application/octet-stream', size, \(tmpBucket), key, etag, true,
                       \(tmpBucket), now(), 'expired', 'No form claimed this file in time, and it was removed.', false
                  from stale
                 where not exists (select from s3file.upload d where d.bucket = \(tmpBucket) and d.key = stale.key)
                on conflict (tmp_bucket, tmp_key) do update set tmp_deleted = true
                 where u.state not in (0, 1)
                   and not (u.state = 3 and u.finished_at > now() - make_interval(secs => \(Self.seconds(Self.failedLifetime))))
                returning u.tmp_key)
            select tmp_key from marked
            """
        )
        return try rows.map { try $0["tmp_key", String.self] }
    }

    /// Takes the turn at a task that one process at a time should do; `false` when another has it or it is not due.
    package func takeTurn(_ task: String, every interval: Duration) async throws -> Bool {
        let rows = try await self.client.query(
            """
            update s3file.maintenance set due_at = now() + make_interval(secs => \(Self.seconds(interval)))
             where task = \(task) and due_at <= now() returning task
            """
        )
        return !rows.isEmpty
    }
}
