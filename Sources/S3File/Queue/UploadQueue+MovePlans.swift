package import Foundation
import Postgres

/// A copy in parts that was begun, for whoever goes on with it. Which parts are done is the store's to tell.
package struct MovePlan: Sendable, Equatable {
    package var multipartUploadID: String
    /// Bytes of every part but the last.
    package var partSize: Int64
    /// A digest of what is copied. Parts of something else are of no use, whatever their length.
    package var source: String
    /// The tmp object's date when the first part was copied: with another one by now, nothing vouches for the parts there are.
    package var sourceModifiedAt: Date?

    package init(multipartUploadID: String, partSize: Int64, source: String, sourceModifiedAt: Date?) {
        self.multipartUploadID = multipartUploadID
        self.partSize = partSize
        self.source = source
        self.sourceModifiedAt = sourceModifiedAt
    }
}

/// What is left in the store of a copy that nobody goes on with.
package struct AbandonedMove: Sendable {
    package var uploadID: UUID
    package var bucket: String
    package var key: String
    package var multipartUploadID: String

    package init(uploadID: UUID, bucket: String, key: String, multipartUploadID: String) {
        self.uploadID = uploadID
        self.bucket = bucket
        self.key = key
        self.multipartUploadID = multipartUploadID
    }
}

extension UploadQueue {
    /// The plan of an upload's copy, if one was begun.
    package func movePlan(of id: UUID) async throws -> MovePlan? {
        try await self.client.query("select * from s3file.move_plan(upload_id => \(id))").first.map { row in
            MovePlan(
                multipartUploadID: try row["multipart_upload_id", String.self],
                partSize: try row["part_size", Int64.self],
                source: try row["source", String.self],
                sourceModifiedAt: try row["source_modified_at", Date?.self]
            )
        }
    }

    /// Notes the plan of a copy, fenced like a settle.
    ///
    /// - Returns: false when the attempt is another worker's by now; then the plan must be given up.
    package func note(_ plan: MovePlan, of job: Job, worker: Int64) async throws -> Bool {
        try await self.client.query(
            """
            select s3file.plan_move(
                worker => \(worker), upload_id => \(job.id), attempt => \(job.attempt), multipart_upload_id => \(plan.multipartUploadID),
                part_size => \(plan.partSize), source => \(plan.source), source_modified_at => \(plan.sourceModifiedAt)) as noted
            """
        )[0]["noted", Bool.self]
    }

    /// Copies in parts whose upload ended, however it did.
    ///
    /// - Parameter after: the last ``AbandonedMove/uploadID`` of the page before.
    package func abandonedMoves(limit: Int, after: UUID? = nil) async throws -> [AbandonedMove] {
        try await self.client.query(
            "select * from s3file.abandoned_moves(at_most => \(Int32(limit)), after => \(after))"
        ).map { row in
            AbandonedMove(
                uploadID: try row["upload_id", UUID.self],
                bucket: try row["bucket", String.self],
                key: try row["key", String.self],
                multipartUploadID: try row["multipart_upload_id", String.self]
            )
        }
    }

    /// Notes that nothing is left of them in the store.
    package func forget(_ moves: [AbandonedMove]) async throws {
        _ = try await self.client.query(
            """
            select s3file.forget_moves(
                upload_ids => \(moves.map(\.uploadID)), multipart_upload_ids => \(moves.map(\.multipartUploadID)))
            """
        )
    }

    /// Of multipart uploads that a listing showed: those to a key of ours that no plan names.
    package func strayMultipartUploads(
        bucket: String,
        _ listed: [(key: String, multipartUploadID: String)]
    ) async throws -> [(key: String, multipartUploadID: String)] {
        guard !listed.isEmpty else { return [] }
        return try await self.client.query(
            """
            select * from s3file.stray_multipart_uploads(
                bucket => \(bucket), keys => \(listed.map(\.key)), multipart_upload_ids => \(listed.map(\.multipartUploadID)))
            """
        ).map { (try $0["key", String.self], try $0["multipart_upload_id", String.self]) }
    }
}
