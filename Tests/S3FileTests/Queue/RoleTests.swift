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
        ("s3file_web", "select s3file.set_queue('x')"), ("s3file_web", "select etag from s3file.upload"),
        ("s3file_web", "insert into s3file.job (upload_id) values (gen_random_uuid())"),
        ("s3file_web", "select s3file.queue_again(gen_random_uuid(), now())"),
        ("s3file_worker", "update s3file.upload set state = 2"), ("s3file_worker", "delete from s3file.job"),
        ("s3file_worker", "select s3file.cancel(gen_random_uuid())"),
        ("s3file_worker", "select s3file.enqueue('media', 'tmp/x/y', 'e', 1, 'a')"),
        ("s3file_worker", "select s3file.put_back('{}', true)"), ("s3file_worker", "drop table s3file.upload"),
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
