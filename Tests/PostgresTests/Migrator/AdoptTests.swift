import Postgres
import TestEnvironment
import Testing

/// Databases whose files were run by psql alone.
@Suite("Adopting", .timeLimit(.minutes(1)))
struct AdoptTests {
    private let first = Migration(
        version: 1,
        name: "one",
        sql: """
            create schema if not exists s3file;
            create table s3file.one (n int8 primary key, word text not null default 'x' check (word <> ''));
            create index one_word on s3file.one (word);
            create function s3file.twice(n int8) returns int8 language sql as $$ select n * 2 $$;
            create view s3file.words as select word from s3file.one;
            """
    )
    private let second = Migration(
        version: 2,
        name: "two",
        sql: "alter table s3file.one add column m int8 generated always as (n * 2) stored",
        post: "drop view s3file.words"
    )
    private let third = Migration(
        version: 3,
        name: "three",
        sql:
            "-- s3file: no transaction\ndrop index concurrently if exists s3file.one_m;\ncreate index concurrently one_m on s3file.one (m);"
    )

    private func run(_ scripts: [String], _ client: PostgresClient) async throws {
        try await client.withConnection { connection in
            for statement in scripts.flatMap(SQLStatement.all(in:)) { try await connection.simple(statement.text) }
        }
    }

    @Test("migrating tables that nobody recorded ends in a sentence that names the remedy, and the remedy works")
    func remedy() async throws {
        try await withTestDatabase { client, _ in
            try await self.run([self.first.pre.text, "insert into s3file.one values (7)"], client)
            let migrator = Migrator(client, [self.first, self.second])
            await expectRefusal(.unrecorded, ["no record", "s3file migrate adopt 1"]) {
                try await migrator.apply(logger: .silent)
            }
            let adopted = try await migrator.adopt(1, logger: .silent)
            #expect(adopted == [self.first])
            let again = try await migrator.adopt(1, logger: .silent)
            #expect(again.isEmpty)
            let steps = try await migrator.apply(logger: .silent)
            #expect(steps == [self.second.step(.pre), self.second.step(.post)])
            #expect(try await client.count("select m from s3file.one") == 14)
        }
    }

    @Test("several versions are adopted at once, with as many parts as are there")
    func several() async throws {
        let all = [self.first, self.second, self.third]
        try await withTestDatabase { client, _ in
            try await self.run([self.first.pre.text, self.second.pre.text], client)
            await expectRefusal(.unrecorded, ["adopt 2"]) { try await Migrator(client, all).apply(logger: .silent) }
            _ = try await Migrator(client, all).adopt(2, logger: .silent)
            let steps = try await Migrator(client, all).apply(logger: .silent)
            #expect(steps == [self.second.step(.post), self.third.step(.pre)])
        }
        try await withTestDatabase { client, _ in
            try await self.run(all.flatMap { [$0.pre.text, $0.post?.text ?? ""] }, client)
            let adopted = try await Migrator(client, all).adopt(3, logger: .silent)
            #expect(adopted == all)
            let steps = try await Migrator(client, all).apply(logger: .silent)
            #expect(steps.isEmpty)
        }
    }

    @Test(
        "what is missing or different cannot be adopted, and is named",
        arguments: [
            ("drop index s3file.one_word", "index one_word"),
            ("alter table s3file.one alter word drop default", "column one.word"),
            ("alter table s3file.one drop constraint one_word_check", "constraint one.one_word_check"),
            (
                "create or replace function s3file.twice(n int8) returns int8 language sql as 'select n * 3'",
                "function s3file.twice(bigint)"
            ),
            ("drop view s3file.words", "view words"),
            ("drop schema s3file cascade", "everything"),
        ]
    )
    func different(change: String, name: String) async throws {
        try await withTestDatabase { client, _ in
            try await self.run([self.first.pre.text, change], client)
            let migrator = Migrator(client, [self.first])
            await expectRefusal(.notThere, ["up to 1", name]) { _ = try await migrator.adopt(1, logger: .silent) }
            #expect(try await migrator.status().map(\.state) == [.pending])
            let leftovers = try await client.count("select count(*) from pg_namespace where nspname like 's3file\\_%'")
            #expect(leftovers == 0)
        }
    }

    @Test("what a DBA has added or tuned does not stand in the way")
    func additions() async throws {
        try await withTestDatabase { client, _ in
            try await self.run(
                [
                    self.first.pre.text, "create index my_index on s3file.one (n, word)", "create table s3file.mine (n int8)",
                    "alter table s3file.one set (fillfactor = 50)", "comment on table s3file.one is 'mine'",
                ],
                client
            )
            let adopted = try await Migrator(client, [self.first]).adopt(1, logger: .silent)
            #expect(adopted == [self.first])
        }
    }
}
