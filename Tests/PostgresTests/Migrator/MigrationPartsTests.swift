import Foundation
import Postgres
import TestEnvironment
import Testing

/// Pre, post and down parts, and which code may work with what they leave.
@Suite("Parts of migrations", .timeLimit(.minutes(1)))
struct MigrationPartsTests {
    private let first = Migration(version: 1, name: "one", sql: "create table one (n int8, old int8)")
    private let second = Migration(
        version: 2,
        name: "two",
        sql: "alter table one add column new int8",
        post: "alter table one drop column old",
        down: "alter table one drop column new; alter table one add column if not exists old int8"
    )
    private let third = Migration(
        version: 3,
        name: "three",
        sql: "-- s3file: breaks older code\ncreate table three (n int8)",
        down: "drop table three"
    )

    private var all: [Migration] { [self.first, self.second, self.third] }

    private func columns(_ client: PostgresClient) async throws -> [String] {
        try await client.query(
            "select attname::text from pg_attribute where attrelid = 'one'::regclass and attnum > 0 and not attisdropped order by 1"
        ).map { try $0[0, String.self] }
    }

    @Test("all parts run in order, the post part after its own pre part and before the next version")
    func order() async throws {
        try await withTestDatabase { client, _ in
            let steps = try await Migrator(client, self.all).apply(logger: .silent)
            #expect(steps == [self.first.step(.pre), self.second.step(.pre), self.second.step(.post), self.third.step(.pre)])
            #expect(try await self.columns(client) == ["n", "new"])
            let again = try await Migrator(client, self.all).apply(logger: .silent)
            #expect(again.isEmpty)
        }
    }

    @Test("pre parts alone leave the post part for later, and no later version goes before it")
    func rolling() async throws {
        try await withTestDatabase { client, _ in
            let two = Migrator(client, [self.first, self.second])
            let pre = try await two.apply(parts: [.pre], logger: .silent)
            #expect(pre == [self.first.step(.pre), self.second.step(.pre)])
            #expect(try await self.columns(client) == ["n", "new", "old"])
            guard case .postPending = try await two.status().last?.state else {
                Issue.record("\(try await two.status())")
                return
            }
            let three = Migrator(client, self.all)
            await expectRefusal(.postPending, ["3 (three)", "2 (two)", "run s3file migrate"]) {
                try await three.apply(parts: [.pre], logger: .silent)
            }
            let post = try await three.apply(parts: [.post], logger: .silent)
            #expect(post == [self.second.step(.post)])
            // The third says that it is not safe.
            await expectRefusal(.breaksOlderCode, ["3 (three)", "stop all of it"]) {
                try await three.apply(parts: [.pre], logger: .silent)
            }
            let rest = try await three.apply(logger: .silent)
            #expect(rest == [self.third.step(.pre)])
        }
    }

    @Test("post parts alone wait for their pre part")
    func postFirst() async throws {
        try await withTestDatabase { client, _ in
            let steps = try await Migrator(client, self.all).apply(parts: [.post], logger: .silent)
            #expect(steps.isEmpty)
        }
    }

    @Test("an edited post or down part is refused; a down part that an older binary did not have is taken")
    func edited() async throws {
        try await withTestDatabase { client, _ in
            _ = try await Migrator(client, [self.first, self.second]).apply(logger: .silent)
            for part in [Migration.Part.post, .down] {
                var edited = self.second
                let text = try #require(edited[part]?.text) + " "
                if part == .post { edited.post = MigrationScript(text) } else { edited.down = MigrationScript(text) }
                await expectRefusal(.edited, ["The \(part.rawValue) part of migration 2 (two)", "edited"]) {
                    try await Migrator(client, [self.first, edited]).apply(logger: .silent)
                }
                await expectRefusal(.edited, ["2 (two)"]) {
                    _ = try await Migrator(client, [self.first, edited]).revert(to: 1, logger: .silent)
                }
                guard case .edited(part, _) = try await Migrator(client, [self.first, edited]).status()[1].state else {
                    Issue.record("the status does not tell that the \(part) part was edited")
                    continue
                }
            }
            var gone = self.second
            gone.down = nil
            await expectRefusal(.edited, ["down part"]) { try await Migrator(client, [self.first, gone]).apply(logger: .silent) }
            var reversible = self.first
            reversible.down = MigrationScript("drop table one")
            let steps = try await Migrator(client, [reversible, self.second]).revert(to: 0, logger: .silent)
            #expect(steps == [self.second.step(.down), reversible.step(.down)])
        }
    }

    @Test("down and up again, from before and after the post part")
    func downAndUp() async throws {
        try await withTestDatabase { client, _ in
            let migrator = Migrator(client, self.all)
            _ = try await migrator.apply(logger: .silent)
            let down = try await migrator.revert(to: 1, logger: .silent)
            #expect(down == [self.third.step(.down), self.second.step(.down)])
            #expect(try await self.columns(client) == ["n", "old"])
            #expect(try await migrator.status().map(\.state).dropFirst() == [.pending, .pending])
            _ = try await Migrator(client, [self.first, self.second]).apply(parts: [.pre], logger: .silent)
            _ = try await migrator.revert(to: 1, logger: .silent)
            let up = try await migrator.apply(to: 2, logger: .silent)
            #expect(up == [self.second.step(.pre), self.second.step(.post)])
            let nothing = try await migrator.revert(to: 2, logger: .silent)
            #expect(nothing.isEmpty)
        }
    }

    @Test("without a down part there is no way back, and nothing is touched; targets have to exist and lie ahead")
    func targets() async throws {
        try await withTestDatabase { client, _ in
            let migrator = Migrator(client, self.all)
            _ = try await migrator.apply(logger: .silent)
            await expectRefusal(.noDownPart, ["1 (one)", "backup"]) { _ = try await migrator.revert(to: 0, logger: .silent) }
            #expect(try await migrator.status().count { if case .applied = $0.state { true } else { false } } == 3)
            await expectRefusal(.invalidTarget, ["no migration 4", "2 (two)"]) {
                try await migrator.apply(to: 4, logger: .silent)
            }
            await expectRefusal(.invalidTarget, ["no migration 9"]) { _ = try await migrator.revert(to: 9, logger: .silent) }
            await expectRefusal(.invalidTarget, ["at version 3 already", "down"]) {
                try await migrator.apply(to: 2, logger: .silent)
            }
        }
    }

    @Test("a down part that fails leaves the version as it was")
    func failingDown() async throws {
        try await withTestDatabase { client, _ in
            var broken = self.third
            broken.down = MigrationScript("drop table three;\n\nselect * from nowhere;")
            let migrator = Migrator(client, [self.first, self.second, broken])
            _ = try await migrator.apply(logger: .silent)
            await expectRefusal(.failed, ["down part of migration 3", "line 3", "nowhere"]) {
                _ = try await migrator.revert(to: 1, logger: .silent)
            }
            let there = try await client.query("select to_regclass('three') is not null as there")[0]
            #expect(try there["there", Bool.self])
        }
    }

    // MARK: Ranges

    @Test("code may run from its own version on, until a version that it does not know breaks it")
    func range() async throws {
        try await withTestDatabase { client, _ in
            let (one, two, three) = (
                Migrator(client, [self.first]), Migrator(client, [self.first, self.second]), Migrator(client, self.all)
            )
            await expectRefusal(.olderDatabase, ["no record", "run s3file migrate"]) { try await one.checkRange() }
            _ = try await one.apply(logger: .silent)
            try await one.checkRange()
            await expectRefusal(.olderDatabase, ["at version 1", "needs 2", "run s3file migrate"]) { try await two.checkRange() }
            // While the new release is rolled out both work.
            _ = try await two.apply(parts: [.pre], logger: .silent)
            try await one.checkRange()
            try await two.checkRange()
            #expect(try await one.status().last?.state.isUnknown(breaking: false) == true)
            // The post part ends it.
            _ = try await two.apply(logger: .silent)
            await expectRefusal(.newerDatabase, ["2 (two)", "knows 1 at most", "update this binary"]) {
                try await one.checkRange()
            }
            #expect(try await one.status().last?.state.isUnknown(breaking: true) == true)
            // So does a pre part that says so.
            _ = try await three.apply(logger: .silent)
            await expectRefusal(.newerDatabase, ["3 (three)"]) { try await two.checkRange() }
            _ = try await three.revert(to: 2, logger: .silent)
            try await two.checkRange()
        }
    }

    // MARK: The record

    @Test("the record that version 1 wrote is taken over, and version 1 can go on writing to it")
    func oldRecord() async throws {
        try await withTestDatabase { client, _ in
            try await client.withConnection {
                try await $0.simple(
                    """
                    create schema s3file;
                    create table s3file.schema_migration (
                        version bigint primary key, name text not null, checksum text not null,
                        applied_at timestamptz not null default now());
                    create table one (n int8, old int8);
                    insert into s3file.schema_migration (version, name, checksum) values (1, 'one', '\(self.first.pre.checksum)');
                    """
                )
            }
            let migrator = Migrator(client, [self.first, self.second])
            // Looking changes nothing, and works on both shapes.
            #expect(try await migrator.status().map(\.version) == [1, 2])
            try await Migrator(client, [self.first]).checkRange()
            let nothing = try await Migrator(client, [self.first]).apply(logger: .silent)
            #expect(nothing.isEmpty)
            let steps = try await migrator.apply(logger: .silent)
            #expect(steps == [self.second.step(.pre), self.second.step(.post)])
            // What an old binary runs.
            try await client.query("insert into s3file.schema_migration (version, name, checksum) values (7, 'seven', 'x')")
            let old = try await client.query(
                "select version, name, checksum, applied_at from s3file.schema_migration order by version"
            )
            #expect(old.count == 3)
            #expect(try await migrator.status().last?.state.isUnknown(breaking: false) == true)
        }
    }

    @Test("any role may read the record, so that every process can look whether it may start")
    func readable() async throws {
        try await withTestDatabase { client, _ in
            _ = try await Migrator(client, [self.first]).apply(logger: .silent)
            let row = try await client.query(
                "select has_table_privilege('pg_monitor', 's3file.schema_migration', 'select') as may"
            )[0]
            #expect(try row["may", Bool.self])
        }
    }
}

extension MigrationStatus.State {
    fileprivate func isUnknown(breaking: Bool) -> Bool {
        if case .unknown(breaking, _) = self { true } else { false }
    }
}
