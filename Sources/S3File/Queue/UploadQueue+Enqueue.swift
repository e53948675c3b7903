import CoreMetrics
package import Foundation
import Postgres

extension UploadQueue {
    /// Enqueues in one statement and one round trip: all or none.
    ///
    /// Only if some were enqueued before, another one reads how they stand.
    ///
    /// - Parameters:
    ///   - hold: how long no worker may take them, unless they are released before.
    ///   - metadata: a JSON object of at most 8,192 bytes, kept with each of them.
    ///   - placement: in which queue they wait, and how.
    package func enqueue(
        _ promises: [UploadPromise],
        hold: Duration? = nil,
        metadata: String? = nil,
        placement: QueuePlacement = QueuePlacement()
    ) async throws -> [Upload] {
        guard let first = promises.first else { return [] }
        let start = ContinuousClock.now
        let rows: PostgresRows
        do {
            rows = try await self.enqueue(first, promises, hold, metadata, placement)
        } catch {
            self.metrics.enqueueFailed.increment()
            throw error
        }
        self.metrics.enqueue.record(since: start)
        var enqueued: [(id: UUID, key: String, isNew: Bool)] = Array(repeating: (first.id, "", false), count: promises.count)
        for row in rows {
            let place = promises.count == 1 ? 0 : try row["place", Int.self] - 1
            enqueued[place] = (try row["id", UUID.self], try row["final_key", String.self], try row["is_new", Bool.self])
        }
        let known = try await self.uploads(enqueued.filter { !$0.isNew }.map(\.id))
        let count = enqueued.count(where: \.isNew)
        self.metrics.enqueued.increment(by: count)
        self.metrics.enqueuedAgain.increment(by: enqueued.count - count)
        let now = try rows[0]["now", Date.self]
        return try zip(promises, enqueued).map { promise, entry in
            if entry.isNew {
                return Upload(enqueued: promise, id: entry.id, key: entry.key, maxAttempts: Int(placement.maxAttempts), at: now)
            }
            guard let upload = known[entry.id] else {
                throw PostgresError(.decoding, "An upload vanished while it was enqueued again.")
            }
            return upload
        }
    }

    private func enqueue(
        _ first: UploadPromise,
        _ promises: [UploadPromise],
        _ hold: Duration?,
        _ metadata: String?,
        _ placement: QueuePlacement
    ) async throws -> PostgresRows {
        let storage = try Self.storageStatements(promises)
        let trace = Traceparent.current.map(Self.traceStatement)
        if promises.count > 1 { return try await self.enqueueMany(promises, hold, metadata, placement, storage, trace) }
        let enqueue = Self.enqueueStatement(first, hold, metadata, placement)
        guard trace != nil || !storage.isEmpty else { return try await self.client.query(enqueue) }
        return try await self.pipeline(enqueue, storage, trace)
    }

    /// One transaction, so that no worker sees the one without the other.
    private func pipeline(_ enqueue: SQL, _ storage: [SQL], _ trace: SQL?) async throws -> PostgresRows {
        let results = try await self.client.pipeline((trace.map { [$0] } ?? []) + [enqueue] + storage)
        return results[trace == nil ? 0 : 1]
    }

    /// For the uploads of this transaction: the column's default reads it.
    private static func traceStatement(_ traceparent: Traceparent) -> SQL {
        "select set_config('s3file.traceparent', \(traceparent.description), true)"
    }

    private func enqueueMany(
        _ promises: [UploadPromise],
        _ hold: Duration?,
        _ metadata: String?,
        _ placement: QueuePlacement,
        _ storage: [SQL],
        _ trace: SQL?
    ) async throws -> PostgresRows {
        do {
            let enqueue: SQL = """
                select *, now() as now from s3file.enqueue_many(
                    buckets => \(promises.map(\.bucket)), tmp_keys => \(promises.map(\.tmpKey)), etags => \(promises.map(\.etag)),
                    sizes => \(promises.map(\.size)), keys => \(promises.map(\.requestedKey)),
                    content_types => \(promises.map(\.contentType)), filenames => \(promises.map(\.filename)),
                    fields => \(promises.map(\.field)), owners => \(promises.map(\.owner)), upload_ids => \(promises.map(\.id)),
                    version_ids => \(promises.map(\.versionID)), tmp_buckets => \(promises.map(\.tmpBucket)),
                    run_at => now() + make_interval(secs => \(hold.map(Self.seconds))),
                    metadata => array_fill(coalesce(\(metadata)::jsonb, '{}'), array[\(Int32(promises.count))]),
                    queue => \(placement.queue), priority => \(placement.priority), max_attempts => \(placement.maxAttempts))
                """
            return try await self.pipeline(enqueue, storage, trace)
        } catch let error as PostgresError where error.sqlState.map(Self.refusals.contains) == true {
            // Again one by one, in one transaction, so that the error says which of them was refused.
            _ = try await self.client.pipeline(
                Self.inEnqueueOrder(promises).map { Self.enqueueStatement($0, hold, metadata, placement) }
            )
            throw error
        }
    }

    /// How they shall be stored, those alike in one statement. An upload that was enqueued before has another id, and stays as it is.
    private static func storageStatements(_ promises: [UploadPromise]) throws -> [SQL] {
        let encoder = JSONEncoder()
        return try Dictionary(grouping: promises, by: \.storage).compactMap { storage, promises in
            guard let storage, storage != StorageSettings() else { return nil }
            let json = JSON(String(decoding: try encoder.encode(storage), as: UTF8.self))
            return "select s3file.store_as(upload_ids => \(promises.map(\.id)), storage => \(json))"
        }
    }

    /// What `s3file.enqueue` refuses about one upload: of another owner, replaced, removed.
    private static let refusals: Set<String> = ["42501", "SF409", "SF410"]

    private static func enqueueStatement(
        _ promise: UploadPromise,
        _ hold: Duration?,
        _ metadata: String?,
        _ placement: QueuePlacement
    ) -> SQL {
        """
        select *, now() as now from s3file.enqueue(
            bucket => \(promise.bucket), tmp_key => \(promise.tmpKey), etag => \(promise.etag), size => \(promise.size),
            key => \(promise.requestedKey), content_type => \(promise.contentType), filename => \(promise.filename),
            field => \(promise.field), owner => \(promise.owner), upload_id => \(promise.id), version_id => \(promise.versionID),
            tmp_bucket => \(promise.tmpBucket), run_at => now() + make_interval(secs => \(hold.map(Self.seconds))),
            metadata => coalesce(\(metadata)::jsonb, '{}'), queue => \(placement.queue), priority => \(placement.priority),
            max_attempts => \(placement.maxAttempts))
        """
    }

    /// The order in which promises are written, so that the place of a refused one can be told.
    package static func inEnqueueOrder(_ promises: [UploadPromise]) -> [UploadPromise] {
        promises.sorted { Array($0.requestedKey.utf8).lexicographicallyPrecedes(Array($1.requestedKey.utf8)) }
    }

    /// Lets workers take held uploads now. One whose hold a failed post of the same form gave up meanwhile is queued again.
    package func release(_ ids: [UUID]) async throws {
        _ = try await self.client.query("select s3file.release(\(ids))")
    }

    /// Gives up held uploads, so that the form can be posted again. One that was released before stays as it is.
    package func cancelHeld(_ ids: [UUID]) async throws {
        _ = try await self.client.query("select s3file.cancel_held(\(ids))")
    }

    /// Withdraws uploads: queued ones at once, moving ones when their worker settles.
    package func cancel(_ ids: [UUID]) async throws {
        _ = try await self.client.query("select s3file.cancel(id) from unnest(\(ids)) as asked(id) order by id")
    }

    /// Takes failed and cancelled uploads up again whose tmp object is still there.
    ///
    /// - Returns: how many.
    package func retry(_ ids: [UUID]) async throws -> Int {
        try await self.client.query("select s3file.retry(\(ids)) as count")[0]["count", Int.self]
    }

    /// Wakes idle workers, or by the other channel those who wait for news. Never part of an enqueue's or a settle's transaction: NOTIFY
    /// there makes every commit wait for one lock. What is lost in a crash nobody misses, so the disk is not waited for.
    package func notify() async throws {
        try await self.notify(Self.channel)
    }

    /// Wakes the feeds of all processes.
    package func notifyOfStatuses() async throws {
        try await self.notify(Self.statusChannel)
    }

    private func notify(_ channel: String) async throws {
        _ = try await self.client.query("select set_config('synchronous_commit', 'off', true), pg_notify(\(channel), '')")
    }
}
