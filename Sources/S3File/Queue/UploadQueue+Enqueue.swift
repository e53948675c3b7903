package import Foundation
import Postgres

extension UploadQueue {
    /// Enqueues in one round trip and one transaction: all or none.
    ///
    /// - Parameter hold: how long no worker may take it, unless it is released before.
    package func enqueue(_ promises: [UploadPromise], hold: Duration?, now: Date = Date()) async throws -> [Upload] {
        guard !promises.isEmpty else { return [] }
        let seconds = hold.map { Double($0.components.seconds) }
        // In the order of their keys: two forms that wish for the same keys wait for one another in one order, and not for ever.
        let ordered = Self.inEnqueueOrder(promises)
        var statements = ordered.map { promise -> SQL in
            """
            select * from s3file.enqueue(
                bucket => \(promise.tmpBucket), tmp_key => \(promise.tmpKey), etag => \(promise.etag), size => \(promise.size),
                key => \(promise.requestedKey), content_type => \(promise.contentType), filename => \(promise.filename),
                field => \(promise.field), owner => \(promise.owner), upload_id => \(promise.id), version_id => \(promise.versionID),
                run_at => now() + make_interval(secs => coalesce(\(seconds)::float8, 0)))
            """
        }
        // By the tmp keys: a promise that was posted before has the id of its first post.
        let buckets = promises.map(\.tmpBucket)
        let keys = promises.map(\.tmpKey)
        statements.append(
            """
            select \(unescaped: Self.uploadColumns)
              from unnest(\(buckets)::text[], \(keys)::text[]) with ordinality as posted(bucket, key, position)
              join s3file.upload u on u.tmp_bucket = posted.bucket and u.tmp_key = posted.key
             order by position
            """
        )
        let results = try await self.client.pipeline(statements)
        return try results[results.count - 1].map(Upload.init(row:))
    }

    /// The order in which promises are written, so that the place of a refused one can be told.
    package static func inEnqueueOrder(_ promises: [UploadPromise]) -> [UploadPromise] {
        promises.sorted { Array($0.requestedKey.utf8).lexicographicallyPrecedes(Array($1.requestedKey.utf8)) }
    }

    /// Lets workers take held uploads now. One whose hold a failed post of the same form gave up meanwhile is queued again.
    package func release(_ ids: [UUID]) async throws {
        _ = try await self.client.query(
            """
            update s3file.upload set state = 0, run_at = now(), finished_at = null, updated_at = now()
             where id = any(\(ids)::uuid[])
               and (state = 0 and attempt = 0 or state = 4 and not tmp_deleted and not cancel_requested)
            """
        )
    }

    /// Gives up held uploads, so that the form can be posted again. One that was released before stays as it is, also one that is
    /// released while this waits for its row: hence the clock, not the time at which the statement began.
    package func cancelHeld(_ ids: [UUID]) async throws {
        _ = try await self.client.query(
            """
            update s3file.upload set state = 4, finished_at = now(), updated_at = now()
             where id = any(\(ids)::uuid[]) and state = 0 and attempt = 0 and run_at > clock_timestamp()
            """
        )
    }

    /// Withdraws uploads: queued ones at once, moving ones when their worker settles.
    package func cancel(_ ids: [UUID]) async throws {
        _ = try await self.client.query("select s3file.cancel(id) from unnest(\(ids)::uuid[]) as asked(id)")
    }

    /// Wakes idle workers. Never part of an enqueue's transaction: NOTIFY there makes every commit wait for one lock.
    package func notify() async throws {
        _ = try await self.client.query("select pg_notify(\(Self.channel), '')")
    }
}
