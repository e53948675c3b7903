import Foundation
import Postgres

extension UploadQueue {
    /// The most jobs of one claim.
    package static let largestClaim = 100

    /// Claims due jobs for a live worker, counting the attempt.
    ///
    /// The limit is a literal, because Postgres plans `LIMIT $1` as a tenth of the table; and the claimed ids come back through
    /// `any(array(…))`, because a join to them is quadratic under a generic plan.
    package func claim(worker: Int64, limit: Int) async throws -> [Job] {
        let limit = max(1, min(limit, Self.largestClaim))
        return try await self.client.query(
            """
            with alive as (
                select id from s3file.worker where id = \(worker) and expires_at > now() and not draining for key share),
            due as materialized (
                select id from s3file.upload
                 where state = 0 and run_at <= now() and exists (select from alive)
                 order by priority, run_at, id limit \(unescaped: String(limit)) for no key update skip locked)
            update s3file.upload j
               set state = 1, attempt = j.attempt + 1, worker = \(worker), started_at = now(), updated_at = now()
             where j.id = any(array(select id from due))
            returning j.id, j.attempt, j.max_attempts, j.filename, j.content_type, j.size, j.tmp_bucket, j.tmp_key, j.etag,
                      j.version_id, j.bucket, j.key
            """,
            timeout: .after(.seconds(5))
        ).map { row in
            Job(
                id: try row["id", UUID.self],
                attempt: try row["attempt", Int16.self],
                maxAttempts: try row["max_attempts", Int16.self],
                filename: try row["filename", String.self],
                contentType: try row["content_type", String.self],
                size: try row["size", Int64.self],
                tmpBucket: try row["tmp_bucket", String.self],
                tmpKey: try row["tmp_key", String.self],
                etag: try row["etag", String.self],
                versionID: try row["version_id", String?.self],
                bucket: try row["bucket", String.self],
                key: try row["key", String.self]
            )
        }
    }

    /// Notes how many bytes a long copy has done. Fenced like a settle, and allowed to be lost.
    package func progress(of job: Job, worker: Int64, copied: Int64) async throws {
        _ = try await self.client.query(
            """
            update s3file.upload set copied = \(copied), updated_at = now()
             where id = \(job.id) and attempt = \(job.attempt) and worker = \(worker) and state = 1
            """
        )
    }
}
