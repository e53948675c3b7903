import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// What the two roles may do, and no more.
@Suite struct RoleTests {
    private static let enqueue: SQL = """
        select id from s3file.enqueue(bucket => 'media', tmp_key => 'tmp/s3file/f/x', etag => '"e"', size => 1, key => 'a/x')
        """

    private func run(_ statement: SQL, as role: String, _ queue: UploadQueue) async throws -> PostgresRows {
        try await queue.client.withTransaction { transaction in
            _ = try await transaction.query(SQL(unescaped: "set local role \(role)"))
            return try await transaction.query(statement)
        }
    }

    /// A queue whose every connection has the role from its start, on the tables of another.
    private func queue<R: Sendable>(as role: String, on url: String, _ body: (UploadQueue) async throws -> R) async throws
        -> R
    {
        let separator = url.contains("?") ? "&" : "?"
        let client = PostgresClient(
            configuration: PostgresConfiguration(url: url + separator + "options=-c%20role%3D\(role)"),
            logger: .quiet
        )
        return try await client.whileRunning { try await body(UploadQueue(client: client)) }
    }

    @Test func `all that the web side does, it may do with its role alone`() async throws {
        try await withMigratedDatabase { _, url in
            try await self.queue(as: "s3file_web", on: url) { queue in
                let promises = [UploadPromise.example(), .example()]
                let uploads = try await queue.enqueue(promises, hold: .seconds(60))
                let again = try await queue.enqueue([promises[0]])
                #expect(again == [uploads[0]])
                let ids = uploads.map(\.id)
                #expect(try await queue.upload(ids[0])?.status == .queued)
                #expect(try await queue.recent(owner: "user-42", limit: 10).count == 2)
                let known = try await queue.promise(
                    tmpBucket: "media",
                    tmpKey: promises[0].tmpKey,
                    owner: "user-42",
                    bucket: "media"
                )
                #expect(known?.id == ids[0])
                try await queue.release([ids[0]])
                try await queue.cancelHeld([ids[1]])
                try await queue.cancel([ids[0]])
                #expect(try await queue.retry(ids) == 2)
                try await queue.notify()
                try await queue.notifyOfStatuses()
                #expect(try await queue.newestEvents().count == 4)
                #expect(try await queue.events(after: 0, gaps: [1], limit: 10).count == 4)
                #expect(try await queue.events(of: ids, after: 0).count == 4)
                // And what the dashboard shows.
                #expect(try await queue.overview().queues.map(\.queue) == ["default"])
                #expect(try await queue.dossier(of: ids[0])?.upload.id == ids[0])
                #expect(try await queue.search("docs/", limit: 10).count == 2)
                #expect(try await queue.page(withError: "AccessDenied", after: nil, limit: 10).uploads.isEmpty)
            }
        }
    }

    @Test
    func `an operator reads the dashboard and presses its buttons with that role alone, and the web side's role does not do`()
        async throws
    {
        try await withMigratedDatabase { client, url in
            let owner = UploadQueue(client: client)
            let worker = try await owner.register(host: "test", pid: 1, version: "0")
            let ids = try await owner.end(2, UploadQueue.denied, worker: worker)
            try await self.queue(as: "s3file_web", on: url) { queue in
                for change in [
                    { _ = try await $0.setPaused("default", true) }, { _ = try await $0.retryFailed(code: "AccessDenied") },
                ] as [@Sendable (UploadQueue) async throws -> Void] {
                    let problem = await #expect(throws: RecordProblem.self) { try await queue.asking(change) }
                    #expect(problem?.code == .denied(role: "s3file_web"))
                }
            }
            try await self.queue(as: "s3file_operator", on: url) { queue in
                let overview = try await queue.overview()
                #expect(overview.failures.map(\.failed) == [2])
                #expect(try await queue.dossier(of: ids[0])?.upload.status == .failed)
                #expect(try await queue.search("docs/", limit: 10).count == 2)
                #expect(try await queue.retry([ids[0]]) == 1)
                #expect(try await queue.retryFailed(code: "AccessDenied").retried == 1)
                #expect(try await queue.cancelOne(ids[0]))
                #expect(try await queue.setPaused("default", true))
            }
        }
    }

    @Test func `all that a worker does, it may do with its role alone`() async throws {
        try await withMigratedDatabase { client, url in
            _ = try await UploadQueue(client: client).enqueue((0..<4).map { _ in .example() })
            try await self.queue(as: "s3file_worker", on: url) { queue in
                let worker = try await queue.register(host: "test", pid: 1, version: "0")
                let jobs = try await queue.claim(worker: worker, room: 2)
                try await queue.progress(of: jobs[0], worker: worker, copied: 1)
                let outcomes = jobs.map { (job: $0, outcome: Outcome.stored(etag: "\"e\"", versionID: nil)) }
                let (settled, more) = try await queue.settleAndClaim(outcomes, worker: worker, room: 2, queues: nil, lanes: nil)
                #expect(settled.count == 2 && more.count == 2)
                #expect(try await queue.beat(worker: worker))
                #expect(try await queue.giveBackOthers(worker: worker, inFlight: [more[0].id]) == 1)
                let left = try await queue.tmpObjectsLeft(olderThan: .zero, batches: 10)
                #expect(left.count == 2)
                try await queue.noteTmpDeleted(left)
                let expired = try await queue.expire(tmpBucket: "media", objects: [("tmp/s3file/f/old", 1, "\"e\"")])
                #expect(expired == ["tmp/s3file/f/old"])
                #expect(try await queue.expirable(tmpBucket: "media", keys: ["tmp/s3file/f/older"]) == ["tmp/s3file/f/older"])
                let pass = try #require(
                    try await queue.beginSweep(bucket: "media", prefix: "tmp/s3file/", holder: "test", every: .seconds(60))
                )
                #expect(try await queue.keep(pass, after: "tmp/s3file/f/old", listed: 1))
                try await queue.end(pass, done: true)
                #expect(try await queue.sweepState(bucket: "media", prefix: "tmp/s3file/")?.listed == 1)
                _ = try await queue.now()
                let stored = try await queue.compared(bucket: "media", from: "", after: "", limit: 10)
                #expect(stored.count == 4)
                #expect(try await queue.compared(tmpBucket: "media", from: "tmp/", after: "", limit: 10).count == 5)
                #expect(try await queue.comparedAgain(stored.map(\.id), bucket: "media", keys: ["docs/none"]).count == 4)
                #expect(try await queue.otherBuckets(than: "media") == [])
                #expect(try await queue.stuckJobs(after: nil, limit: 10, due: .zero, silent: .zero, dead: .zero).next != nil)
                let ended = try #require(stored.first { $0.state == .stored })
                #expect(try await !queue.takeUp(ended))
                #expect(try await queue.storeAgain(ended))
                #expect(try await !queue.forgetStored(ended))
                #expect(
                    try await queue.buryCopy(
                        of: .version7(),
                        attempt: nil,
                        bucket: "media",
                        key: "docs/orphan",
                        size: 1,
                        etag: "e"
                    )
                )
                #expect(try await !queue.mendJobs([ended.id]))
                #expect(try await queue.takeTurn("reap", every: .seconds(60)))
                _ = try await queue.prune(storedFor: .zero, unstoredFor: .zero, after: nil, limit: 10)
                _ = try await queue.pruneEvents(olderThan: .zero, limit: 10)
                try await queue.unregister(worker: worker)
                #expect(try await queue.reap(sinceServerStart: .zero) == 1)
                try await queue.notify()
                try await queue.notifyOfStatuses()
            }
        }
    }

    @Test func `the web side enqueues, cancels and reads`() async throws {
        try await withQueue { queue, _ in
            let id = try await self.run(Self.enqueue, as: "s3file_web", queue)[0]["id", UUID.self]
            #expect(
                try await self.run("select status from s3file.upload_status where id = \(id)", as: "s3file_web", queue).count == 1
            )
            _ = try await self.run("select s3file.release(array[\(id)])", as: "s3file_web", queue)
            let cancelled = try await self.run("select s3file.cancel(\(id)) as done", as: "s3file_web", queue)[0][
                "done",
                Bool.self
            ]
            #expect(cancelled)
        }
    }

    @Test func `workers claim, settle and keep house`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example()])
            let job = try await self.run("select * from s3file.claim(\(worker), 1)", as: "s3file_worker", queue)[0]
            let (id, attempt) = (try job["id", UUID.self], try job["attempt", Int16.self])
            let settled = try await self.run(
                "select * from s3file.settle(\(worker), array[\(id)], array[\(attempt)], array['stored'], etags => array['e'])",
                as: "s3file_worker",
                queue
            )
            #expect(settled.count == 1)
            _ = try await self.run("select s3file.reap(interval '1 s', interval '1 s')", as: "s3file_worker", queue)
        }
    }

    @Test(arguments: [
        ("s3file_web", "select * from s3file.claim(1, 1)"), ("s3file_web", "select s3file.reap(interval '0', interval '0')"),
        ("s3file_web", "select s3file.set_queue('x')"), ("s3file_web", "select s3file.retry_failed('x')"),
        ("s3file_web", "select * from s3file.worker"), ("s3file_worker", "select s3file.retry_failed('x')"),
        ("s3file_worker", "select * from s3file.search('x')"), ("s3file_web", "select etag from s3file.upload"),
        ("s3file_web", "insert into s3file.job (upload_id) values (gen_random_uuid())"),
        ("s3file_web", "select s3file.queue_again(gen_random_uuid(), now())"),
        ("s3file_web", "select s3file.bury_copy(gen_random_uuid(), null, 'media', 'a', 1, 'e')"),
        ("s3file_web", "select s3file.store_again(gen_random_uuid(), 1::smallint)"), ("s3file_web", "select * from s3file.sweep"),
        ("s3file_web", "select * from s3file.compared_by_key('media', '', '', 1)"),
        ("s3file_worker", "select * from s3file.compared"),
        ("s3file_worker", "update s3file.sweep set token = 0"),
        ("s3file_worker", "update s3file.upload set state = 2"), ("s3file_worker", "delete from s3file.job"),
        ("s3file_worker", "select s3file.cancel(gen_random_uuid())"),
        ("s3file_worker", "select s3file.enqueue('media', 'tmp/x/y', 'e', 1, 'a')"),
        ("s3file_worker", "select s3file.put_back('{}', true)"), ("s3file_worker", "drop table s3file.upload"),
        ("s3file_worker", "select s3file.set_queue('x')"), ("s3file_operator", "select * from s3file.claim(1, 1)"),
        ("s3file_operator", "select s3file.enqueue('media', 'tmp/x/y', 'e', 1, 'a')"),
        ("s3file_operator", "update s3file.queue set paused = true"), ("s3file_operator", "select etag from s3file.upload"),
    ])
    func `what a role has no business with is refused`(role: String, statement: String) async throws {
        try await withQueue { queue, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await self.run(SQL(unescaped: statement), as: role, queue)
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test func `no function of ours is open to everybody, and those that run with the owner's rights fix their search path`()
        async throws
    {
        try await withQueue { queue, _ in
            let open = try await queue.client.query(
                """
                select p.proname::text as name from pg_proc p
                 where p.pronamespace = 's3file'::regnamespace
                   and (has_function_privilege('public', p.oid, 'execute')
                     or p.prosecdef and not coalesce(array_to_string(p.proconfig, ','), '') like '%search_path=pg_catalog, s3file, pg_temp%')
                """
            ).map { try $0["name", String.self] }
            #expect(open == [])
        }
    }
}
