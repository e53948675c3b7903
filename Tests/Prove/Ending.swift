import Crypto
import Foundation
import NIOCore
import Postgres
import Proof
import S3
import S3DevServer
import TestEnvironment

/// What comes after the last fault: everything gets its time to end, what is stale is swept, and what is there then is written down.
struct Ending: Sendable {
    let world: World
    let patience: Duration

    // MARK: Quiet

    /// Until nothing waits, or the patience is over; what is not over then is for the verdict to say.
    func wait() async -> Waited {
        var waited = Waited()
        // An hour is the longest backoff, and a tenth more. A hold is the app's.
        waited.tooLong =
            await self.eventually {
                try await self.ids(
                    """
                    select upload_id::text as id from s3file.job
                     where worker is null and attempt > 0 and run_at > now() + interval '67 minutes' order by 1
                    """
                )
            } ?? ["nobody could be asked"]
        let deadline = ContinuousClock.now + self.patience
        while ContinuousClock.now < deadline {
            if let left = try? await self.left(), left == 0 { break }
            // The pause before another try, and a hold, take minutes and hours; here they are over as soon as the faults are. Nobody who looks at
            // a queue can tell that from a clock that went on.
            _ = try? await self.world.postgres.query(
                "update s3file.job set run_at = now() where worker is null and run_at > now() + interval '1 second'"
            )
            try? await Task.sleep(for: .seconds(1))
        }
        // Failed uploads keep their file for a week. That week is over as well.
        waited.failedAreKeptUntil = Int64(Date().timeIntervalSince1970 * 1_000_000)
        _ = await self.eventually {
            try await self.world.postgres.query(
                "update s3file.upload set finished_at = finished_at - interval '8 days' where state = 3"
            )
        }
        for _ in 0..<60 {
            let swept = try? await self.world.sweep()
            // 69: a worker is at it.
            guard let swept, swept.exitCode == 69 else {
                if let swept, swept.exitCode != 0 { say(swept.lines.joined(separator: "\n")) }
                return waited
            }
            try? await Task.sleep(for: .seconds(2))
        }
        return waited
    }

    /// What was seen on the way.
    struct Waited: Sendable {
        var tooLong: [String] = []
        var failedAreKeptUntil: Int64?
    }

    /// The database may be coming back from a fault still.
    private func eventually<R>(_ ask: () async throws -> R) async -> R? {
        for _ in 0..<60 {
            if let answer = try? await ask() { return answer }
            try? await Task.sleep(for: .seconds(1))
        }
        return nil
    }

    private func left() async throws -> Int {
        try await self.world.postgres.query(
            "select (select count(*) from s3file.job) + (select count(*) from s3file.tmp_deletion) as count"
        )[0]["count", Int.self]
    }

    // MARK: Evidence

    func evidence(_ testimonies: [Testimony], _ sentinels: [String: String], _ waited: Waited) async throws -> Evidence {
        // The journal last, so that it has whatever the objects show.
        let (rows, events) = (try await self.rows(), try await self.events())
        let jobs = try await self.ids("select upload_id::text as id from s3file.job order by 1")
        let left = try await self.ids("select unnest(upload_ids)::text as id from s3file.tmp_deletion order by 1")
        let objects = try await self.objects()
        return Evidence(
            testimonies: testimonies,
            rows: rows,
            events: events,
            jobs: jobs,
            deletionsLeft: left,
            objects: objects,
            journal: try self.world.store.journal(),
            sentinels: sentinels,
            tmpPrefix: StoreCommand.tmpPrefix,
            isSwept: self.world.store.isDevelopment,
            failedAreKeptUntil: waited.failedAreKeptUntil,
            waitingTooLong: waited.tooLong
        )
    }

    private func ids(_ sql: SQL) async throws -> [String] {
        try await self.world.postgres.query(sql).map { try $0["id", String.self] }
    }

    private func rows() async throws -> [Evidence.Row] {
        try await self.world.postgres.query(
            """
            select s.id::text as id, s.status, s.attempt::int8 as attempt, u.tmp_key::text as tmp_key, s.key::text as key,
                   u.etag::text as etag, s.size::int8 as size, s.content_type::text as content_type, s.filename::text as filename,
                   s.error_code, (extract(epoch from case when u.state = 3 then u.updated_at else s.finished_at end) * 1000000)::int8 as finished
              from s3file.upload_status s join s3file.upload u on u.id = s.id order by s.id
            """
        ).map { row in
            Evidence.Row(
                id: try row["id", String.self],
                status: try row["status", String.self],
                attempt: try row["attempt", Int.self],
                tmpKey: try row["tmp_key", String.self],
                key: try row["key", String?.self],
                etag: S3ObjectHead.bareETag(try row["etag", String.self]),
                size: try row["size", Int64.self],
                contentType: try row["content_type", String.self],
                filename: try row["filename", String.self],
                errorCode: try row["error_code", String?.self],
                finishedAt: try row["finished", Int64?.self]
            )
        }
    }

    private func events() async throws -> [Evidence.Event] {
        try await self.world.postgres.query(
            """
            select v.event_id, v.upload_id::text as upload, v.status, v.attempt::int8 as attempt, v.worker,
                   (extract(epoch from pg_xact_commit_timestamp(e.xmin)) * 1000000)::int8 as committed
              from s3file.upload_event v join s3file.event e on e.id = v.event_id order by v.event_id
            """
        ).map { row in
            Evidence.Event(
                number: try row["event_id", Int64.self],
                upload: try row["upload", String.self],
                status: try row["status", String.self],
                attempt: try row["attempt", Int.self],
                worker: try row["worker", Int64?.self],
                committedAt: try row["committed", Int64.self]
            )
        }
    }

    private func objects() async throws -> [Evidence.Object] {
        var (keys, token): ([String], String?) = ([], nil)
        repeat {
            let page = try await self.world.s3.listObjects(bucket: StoreCommand.bucket, continuationToken: token)
            keys += page.objects.map(\.key)
            token = page.nextToken
        } while token != nil
        return try await withThrowingTaskGroup(of: Evidence.Object?.self) { group in
            var objects: [Evidence.Object] = []
            for (number, key) in keys.enumerated() {
                if number >= 16, let object = try await group.next() { objects += [object].compactMap { $0 } }
                group.addTask { try await self.object(key) }
            }
            for try await object in group { objects += [object].compactMap { $0 } }
            return objects.sorted { $0.key < $1.key }
        }
    }

    /// By its bytes, not by what the store says of them; nil when it is gone since it was listed.
    private func object(_ key: String) async throws -> Evidence.Object? {
        do {
            let body = try await self.world.s3.getObject(bucket: StoreCommand.bucket, key: key)
            var (hash, size) = (Insecure.MD5(), Int64(0))
            for try await buffer in body {
                hash.update(data: buffer.readableBytesView)
                size += Int64(buffer.readableBytes)
            }
            return Evidence.Object(
                key: key,
                size: size,
                md5: hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
                contentType: body.head.contentType,
                contentDisposition: body.head.contentDisposition,
                stamp: body.head.metadata["s3file-upload"]
            )
        } catch let error as S3Error where error.code == .noSuchKey {
            return nil
        }
    }
}
