package import Foundation
import Postgres

/// A tmp object whose upload is stored, and which is therefore to be deleted.
package struct TmpObject: Sendable, Hashable {
    package var id: UUID
    package var bucket: String
    package var key: String
    package var versionID: String?
    /// As verified.
    package var etag: String
    /// The batch in `s3file.tmp_deletion` that it waits in.
    package var batch: Int64
}

extension Job {
    /// What is to be deleted once this job is stored.
    package func tmpObject(batch: Int64) -> TmpObject {
        TmpObject(id: self.id, bucket: self.tmpBucket, key: self.tmpKey, versionID: self.versionID, etag: self.etag, batch: batch)
    }
}

/// An upload that ended without being stored, for good, and whose copy may lie at its key.
package struct GivenUpUpload: Sendable {
    package var id: UUID
    package var tmpKey: String
    package var bucket: String
    package var key: String
}

extension UploadQueue {
    /// Tmp objects that a crash left behind: stored for longer than `age`, and not noted as deleted.
    ///
    /// - Parameters:
    ///   - batches: of how many settles at most; each stored at most ``largestClaim``.
    ///   - after: the last ``TmpObject/batch`` of the page before.
    package func tmpObjectsLeft(olderThan age: Duration, batches: Int, after: Int64 = 0) async throws -> [TmpObject] {
        try await self.client.query(
            """
            select * from s3file.tmp_left(
                age => make_interval(secs => \(Self.seconds(age))), batches => \(Int32(batches)), after => \(after))
            """
        ).map { row in
            TmpObject(
                id: try row["id", UUID.self],
                bucket: try row["tmp_bucket", String.self],
                key: try row["tmp_key", String.self],
                versionID: try row["version_id", String?.self],
                etag: try row["etag", String.self],
                batch: try row["tmp_deletion", Int64.self]
            )
        }
    }

    /// Notes that tmp objects are gone.
    package func noteTmpDeleted(_ objects: [TmpObject]) async throws {
        _ = try await self.client.query(
            "select s3file.tmp_deleted(batches => \(Array(Set(objects.map(\.batch)))), upload_ids => \(objects.map(\.id)))"
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
        return try await self.client.query(
            """
            select s3file.expire(
                tmp_bucket => \(tmpBucket), keys => \(objects.map(\.key)), sizes => \(objects.map(\.size)),
                etags => \(objects.map(\.etag)), failed_life => make_interval(secs => \(Self.seconds(Self.failedLifetime)))) as tmp_key
            """
        ).map { try $0["tmp_key", String.self] }
    }

    /// Of tmp objects that ``expire(tmpBucket:objects:)`` gave to delete: where a copy may lie of the upload that claimed one, which was withdrawn
    /// or failed after a worker had begun. It can be taken up no more.
    package func givenUp(tmpBucket: String, keys: [String]) async throws -> [GivenUpUpload] {
        guard !keys.isEmpty else { return [] }
        return try await self.client.query(
            "select * from s3file.given_up(tmp_bucket => \(tmpBucket), keys => \(keys))"
        ).map { row in
            GivenUpUpload(
                id: try row["id", UUID.self],
                tmpKey: try row["tmp_key", String.self],
                bucket: try row["bucket", String.self],
                key: try row["key", String.self]
            )
        }
    }

    /// Takes the turn at a task that one process at a time should do; `false` when another has it or it is not due.
    package func takeTurn(_ task: String, every interval: Duration) async throws -> Bool {
        try await self.client.query(
            "select s3file.take_turn(task => \(task), every => make_interval(secs => \(Self.seconds(interval)))) as taken"
        )[0]["taken", Bool.self]
    }
}
