import Foundation
import Migrations
import Postgres
import S3File
import TestEnvironment
import Testing

/// A populated database of version 1, brought to the newest version, and back.
@Suite struct UpgradeTests {
    private static let rows = 5_000
    private static let canGoBack = Migrations.all.dropFirst().allSatisfy { $0.down != nil }

    /// 5,000 uploads in every state that version 1 could leave, on a database of that version.
    private func withVersion1<R: Sendable>(_ body: (PostgresClient, Migrator) async throws -> R) async throws -> R {
        try await withTestDatabase { client, _ in
            let migrator = Migrator.uploads(client)
            _ = try await migrator.apply(to: 1, logger: .quiet)
            try await client.withConnection { try await $0.simple(Self.population) }
            try await client.query(
                """
                create table before as
                select s.*, u.cancel_requested from s3file.upload_status s join s3file.upload u using (id)
                """
            )
            let kinds = try await client.query("select status, count(*) as n from before group by status")
            #expect(Set(try kinds.map { try $0["status", String.self] }) == Set(UploadStatus.allCases.map(\.rawValue)))
            #expect(try kinds.reduce(0) { $0 + (try $1["n", Int64.self]) } == Int64(Self.rows))
            return try await body(client, migrator)
        }
    }

    /// Kinds by `i % 12`: 0 due, 1 held, 2 to be tried again, 3 moving under a live lease, 4 under one that ran out, 5 under a worker that is
    /// gone, 6 and 7 stored with the tmp object deleted and not yet, 8 failed, 9 cancelled, 10 and 11 expired without and with a form.
    private static let population = """
        insert into s3file.worker (host, pid, version, expires_at)
        values ('live', 1, '0.1.0', now() + interval '1 hour'), ('dead', 2, '0.1.0', now() - interval '1 hour');
        insert into s3file.upload
            (id, state, priority, attempt, max_attempts, run_at, worker, cancel_requested, field, owner, filename, content_type, size,
             tmp_bucket, tmp_key, etag, version_id, tmp_deleted, bucket, key, stored_etag, copied, error_code, error_message,
             error_retryable, metadata, created_at, updated_at, started_at, finished_at)
        select s3file.uuid_v7(),
               case when kind <= 2 then 0 when kind <= 5 then 1 when kind <= 7 then 2 when kind = 8 then 3 when kind = 9 then 4 else 5 end,
               i % 7 - 3,
               case kind when 2 then 3 when 3 then 1 when 4 then 12 when 5 then 2 when 6 then 1 when 7 then 4 when 8 then 12 else 0 end,
               case when i % 24 = 8 then 32767 else 12 end,
               case kind when 1 then now() + interval '1 minute' when 2 then now() + interval '5 minutes' else now() - interval '1 hour' end,
               case kind when 3 then 1 when 4 then 2 when 5 then 4711 end,
               kind in (3, 4) and i % 5 = 0,
               case when i % 2 = 0 then 'docs' else '' end,
               case when i % 3 > 0 then 'user ünï 文 ' || i % 100 end,
               'ünï 文 👩🏽‍💻 ' || i || case when i % 50 = 0 then repeat('文', 320) else '' end,
               'application/pdf', case i % 4 when 0 then 0 when 1 then 53687091200000 else i end,
               'media-tmp', 'tmp/s3file/f' || i || '/' || case when i % 40 = 0 then repeat('ü', 500) else 'x' end,
               '"' || md5(i::text) || '"', case when i % 9 = 0 then 'v' || i end,
               kind in (6, 10, 11), 'media',
               case when kind = 10 then null
                    else 'docs/' || i || '/' || case when i % 30 = 0 then repeat('文', 335) else 'naïve ' || i || '.pdf' end end,
               case when kind in (6, 7) then '"' || md5('s' || i) || '"' end,
               case kind when 3 then i / 2 when 6 then i else 0 end,
               case kind when 2 then 'SlowDown' when 8 then 'copy_conflict' when 10 then 'expired' when 11 then 'expired' end,
               case kind when 2 then 'S3 was “busy”.' when 8 then 'Somebody else''s object is there.' when 10 then 'Too late.'
                         when 11 then 'Too late.' end,
               case kind when 2 then true when 8 then false when 10 then false when 11 then false end,
               case when i % 6 = 0 then jsonb_build_object('i', i, 'ü', repeat('x', i % 4000)) else '{}' end,
               now() - interval '1 day' + i * interval '1 second', now() - interval '1 hour',
               case when kind in (2, 3, 4, 5, 6, 7, 8) then now() - interval '1 hour' end,
               case when kind >= 6 then now() - interval '30 minutes' end
          from (select i, i % 12 as kind from generate_series(1, 5000) as i) as upload
        """

    @Test func `the tables of uploads are not written anew by what came after version 5`() async throws {
        try await withTestDatabase { client, _ in
            let migrator = Migrator.uploads(client)
            _ = try await migrator.apply(to: 5, logger: .quiet)
            func files() async throws -> [String] {
                try await client.query(
                    "select pg_relation_filepath(t)::text as file from unnest(array['s3file.upload', 's3file.job']::regclass[]) t"
                ).map { try $0["file", String.self] }
            }
            let before = try await files()
            _ = try await migrator.apply(to: Migrations.all.count, logger: .quiet)
            #expect(try await files() == before)
        }
    }

    /// What the view says now and did not say before. What was moving may be queued again, or cancelled if that had been asked for, and have
    /// an attempt more to go. A hold that a form gave up has a code of its own since version 2.
    private func differences(_ client: PostgresClient) async throws -> [String] {
        try await client.query(
            """
            select concat_ws(E'\\n', b::text, a::text) as text
              from before b full join s3file.upload_status a using (id)
             cross join lateral (select a.status = 'cancelled' and a.error_code = 'form_refused' and not b.cancel_requested) as given(up)
             where a.id is null or b.id is null
                or a.status <> b.status and (b.status, a.status, b.cancel_requested)
                   not in (('moving', 'queued', false), ('moving', 'cancelled', true))
                or (a.field, a.owner, a.filename, a.size, a.content_type, a.bucket, a.key, a.attempt, a.metadata, a.created_at,
                    a.stored_at)
                   is distinct from
                   (b.field, b.owner, b.filename, b.size, b.content_type, b.bucket, b.key, b.attempt, b.metadata, b.created_at,
                    b.stored_at)
                or case when b.status = 'moving' then a.max_attempts not between b.max_attempts and b.max_attempts + 1
                        else (a.max_attempts, a.finished_at, a.next_attempt_at)
                             is distinct from (b.max_attempts, b.finished_at, b.next_attempt_at)
                          or given.up is not true and (a.error_code, a.error_message, a.error_retryable)
                             is distinct from (b.error_code, b.error_message, b.error_retryable) end
             order by id limit 3
            """
        ).map { try $0["text", String.self] }
    }

    @Test func `uploads of version 1 keep their status, keys, owners and attempts in the newest`() async throws {
        try await self.withVersion1 { client, migrator in
            let steps = try await migrator.apply(logger: .quiet)
            #expect(steps.count(where: { $0.part == .pre }) == Migrations.all.count - 1)
            #expect(try await self.differences(client) == [])
        }
    }

    @Test func `what was claimed in version 1 stays claimed: the same form returns the same upload, and keys stay reserved`()
        async throws
    {
        try await self.withVersion1 { client, migrator in
            _ = try await migrator.apply(logger: .quiet)
            let mine = try await client.query(
                "select id, owner, key from before where filename like 'ünï 文 👩🏽‍💻 12%' and status = 'queued'"
            )
            let row = try #require(mine.first)
            let (id, owner) = (try row["id", UUID.self], try row["owner", String?.self])
            let number = try #require(try row["key", String.self].split(separator: "/").dropFirst().first.map(String.init))
            let again = try await client.query(
                """
                select id, is_new from s3file.enqueue(
                    bucket => 'media', tmp_bucket => 'media-tmp', tmp_key => (select \("tmp/s3file/f" + number + "/") || case when \(number)::int % 40 = 0
                        then repeat('ü', 500) else 'x' end), etag => '"' || md5(\(number)) || '"', size => 1, key => 'elsewhere',
                    owner => \(owner))
                """
            )[0]
            #expect(try again["id", UUID.self] == id)
            #expect(try !again["is_new", Bool.self])
            let other = try await client.query(
                """
                select is_new, final_key from s3file.enqueue(
                    bucket => 'media', tmp_key => 'tmp/s3file/new/x', etag => 'e', size => 1, key => \(try row["key", String.self]))
                """
            )[0]
            #expect(try other["is_new", Bool.self])
            #expect(try other["final_key", String.self] != (try row["key", String.self]))
        }
    }

    /// What workers of version 1 run: claim ten, and settle them as stored.
    private static func workAsVersion1(_ client: PostgresClient) async -> Int {
        var settled = 0
        while !Task.isCancelled {
            do {
                let ids = try await client.query(
                    """
                    update s3file.upload set state = 1, attempt = attempt + 1, worker = 1, started_at = now(), updated_at = now()
                     where id = any(array(select id from s3file.upload where state = 0 and run_at <= now()
                                           order by priority, run_at, id limit 10 for no key update skip locked))
                    returning id
                    """
                ).map { try $0["id", UUID.self] }
                guard !ids.isEmpty else { return settled }
                settled += try await client.query(
                    """
                    update s3file.upload set state = 2, worker = null, finished_at = now(), updated_at = now()
                     where id = any(\(ids)::uuid[]) and state = 1 and worker = 1 returning id
                    """
                ).count
            } catch {
                // Its tables are gone.
                return settled
            }
        }
        return settled
    }

    @Test func `old workers that still run while the tables change lose no upload, and none is stored unless they settled it`()
        async throws
    {
        try await self.withVersion1 { client, migrator in
            try await client.query("update s3file.upload set run_at = now() where state = 0 and attempt = 0")
            let settled = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...4 { group.addTask { await Self.workAsVersion1(client) } }
                try await Task.sleep(for: .milliseconds(100))
                _ = try await migrator.apply(logger: .quiet)
                return try await group.reduce(0, +)
            }
            let counts = try await client.query(
                """
                select count(*) filter (where a.status = 'stored' and b.status <> 'stored') as settled,
                       count(*) filter (where a.status <> b.status and b.status not in ('queued', 'moving')) as changed,
                       count(*) filter (where a.status in ('queued', 'moving') and j.upload_id is null) as lost,
                       count(*) as total
                  from before b join s3file.upload_status a using (id) left join s3file.job j on j.upload_id = a.id
                """
            )[0]
            #expect(try counts["settled", Int64.self] == Int64(settled))
            #expect(try counts["changed", Int64.self] == 0)
            #expect(try counts["lost", Int64.self] == 0)
            #expect(try counts["total", Int64.self] == Int64(Self.rows))
        }
    }

    @Test(.enabled(if: canGoBack, "a version has no down part"))
    func `down to version 1 and up again loses no upload`() async throws {
        try await self.withVersion1 { client, migrator in
            for _ in 1...2 {
                _ = try await migrator.apply(logger: .quiet)
                #expect(try await self.differences(client) == [])
                let down = try await migrator.revert(to: 1, logger: .quiet)
                #expect(down.count == Migrations.all.count - 1)
                #expect(try await self.differences(client) == [])
            }
            // It is version 1 again to the letter: what is there can be adopted.
            try await client.query("delete from s3file.schema_migration")
            let adopted = try await migrator.adopt(1, logger: .quiet)
            #expect(adopted.map(\.version) == [1])
        }
    }
}
