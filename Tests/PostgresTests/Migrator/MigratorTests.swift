import Postgres
import TestEnvironment
import Testing

@Suite("Migrator", .timeLimit(.minutes(1)))
struct MigratorTests {
    private let first = Migration(version: 1, name: "one", sql: "create table one (n int8); insert into one values (1);")
    private let second = Migration(version: 2, name: "two", sql: "create table two (n int8);\ninsert into one values (2);")

    private func expectRefusal(
        _ code: MigrationError.Code,
        _ words: [String],
        _ client: PostgresClient,
        _ migrations: [Migration],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await PostgresTests.expectRefusal(code, words, sourceLocation: sourceLocation) {
            try await Migrator(client, migrations).apply(logger: .silent)
        }
    }

    @Test("migrations are applied in order and once")
    func applies() async throws {
        try await withTestDatabase { client, _ in
            let one = try await Migrator(client, [self.first]).apply(logger: .silent)
            #expect(one == [self.first.step(.pre)])
            let migrator = Migrator(client, [self.second, self.first])
            let two = try await migrator.apply(logger: .silent)
            #expect(two == [self.second.step(.pre)])
            let again = try await migrator.apply(logger: .silent)
            #expect(again.isEmpty)
            let count = try await client.count("select count(*) from one")
            #expect(count == 2)
            let row = try await client.query("select * from s3file.schema_migration where version = 1")[0]
            #expect(row.columnNames.starts(with: ["version", "name", "checksum", "applied_at"]))
            #expect(try row["checksum", String.self] == self.first.pre.checksum)
            #expect(self.first.pre.checksum.count == 64)
        }
    }

    @Test("status tells what is applied, pending, edited and unknown, and changes nothing")
    func status() async throws {
        try await withTestDatabase { client, _ in
            let migrator = Migrator(client, [self.first, self.second])
            let before = try await migrator.status()
            #expect(before.map(\.state) == [.pending, .pending])
            let schemas = try await client.count("select count(*) from pg_namespace where nspname = 's3file'")
            #expect(schemas == 0)
            _ = try await migrator.apply(logger: .silent)
            var edited = self.first
            edited.pre = MigrationScript(edited.pre.text + " -- edited")
            let after = try await Migrator(client, [edited, Migration(version: 3, name: "three", sql: "select 1")]).status()
            #expect(after.map(\.version) == [1, 2, 3])
            guard after.count == 3, case .edited = after[0].state, case .unknown = after[1].state else {
                Issue.record("\(after)")
                return
            }
            #expect(after[2].state == .pending)
            let skipped = try await Migrator(client, [Migration(version: 0, name: "zero", sql: "select 1"), self.first]).status()
            #expect(skipped.first?.state == .outOfOrder)
        }
    }

    @Test("an applied migration that has been edited is refused")
    func edited() async throws {
        try await withTestDatabase { client, _ in
            _ = try await Migrator(client, [self.first]).apply(logger: .silent)
            var edited = self.first
            edited.pre = MigrationScript(edited.pre.text + " ")
            await self.expectRefusal(.edited, ["1 (one)", "edited", "new migration"], client, [edited, self.second])
            let two = try await client.query("select to_regclass('two') is null as missing")[0]
            #expect(try two["missing", Bool.self])
        }
    }

    @Test("a database newer than the binary is refused, also by a binary without migrations")
    func newer() async throws {
        try await withTestDatabase { client, _ in
            _ = try await Migrator(client, [self.first, self.second]).apply(logger: .silent)
            await self.expectRefusal(.newerDatabase, ["2 (two)", "at least as new"], client, [self.first])
            await self.expectRefusal(.newerDatabase, ["1 (one)"], client, [])
        }
    }

    @Test("two migrations with one number, and one that comes too late, are refused")
    func numbers() async throws {
        try await withTestDatabase { client, _ in
            var twin = self.second
            twin.version = 1
            await self.expectRefusal(.duplicate, ["one", "two", "renumber"], client, [self.first, twin])
        }
        try await withTestDatabase { client, _ in
            let late = Migration(version: 5, name: "five", sql: "create table five (n int8)")
            _ = try await Migrator(client, [late]).apply(logger: .silent)
            await self.expectRefusal(.outOfOrder, ["1 (one)", "above 5"], client, [self.first, late])
        }
    }

    @Test("a migration that fails leaves nothing behind, and the error says where it failed")
    func failing() async throws {
        try await withTestDatabase { client, _ in
            let broken = Migration(version: 2, name: "broken", sql: "create table two (n int8);\n\nselect * from nowhere;\n")
            await self.expectRefusal(.failed, ["2 (broken)", "line 3", "rolled back", "nowhere"], client, [self.first, broken])
            // The server does not point at a place in these two.
            let clashing = Migration(
                version: 2,
                name: "clash",
                sql: "create table two (n int primary key);\n\ninsert into two values (1), (1);"
            )
            await self.expectRefusal(.failed, ["2 (clash)", "line 3", "23505"], client, [self.first, clashing])
            let raising = Migration(version: 2, name: "raise", sql: "select 1;\ndo $$ begin\nraise 'no'; end $$;")
            await self.expectRefusal(.failed, ["2 (raise)", "line 2", "no"], client, [self.first, raising])
            let row = try await client.query(
                "select to_regclass('two') is null as missing, to_regclass('one') is not null as kept"
            )[0]
            #expect(try row["missing", Bool.self])
            #expect(try row["kept", Bool.self])
            let repaired = try await Migrator(client, [self.first, self.second]).apply(logger: .silent)
            #expect(repaired == [self.second.step(.pre)])
        }
    }

    @Test("a migration that commits by itself is refused")
    func committing() async throws {
        try await withTestDatabase { client, _ in
            let commits = Migration(version: 1, name: "commits", sql: "create table one (n int8); commit;")
            await self.expectRefusal(.failed, ["line 1", "take commit"], client, [commits])
        }
    }

    @Test("several processes at once apply each migration once")
    func concurrent() async throws {
        try await withTestDatabase { _, url in
            let applied = try await withThrowingTaskGroup(of: [MigrationStep].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let client = PostgresClient(
                            configuration: PostgresConfiguration(url: url, maximumConnections: 1),
                            logger: .silent
                        )
                        let run = Task { try await client.run() }
                        defer { run.cancel() }
                        return try await Migrator(client, [self.first, self.second]).apply(logger: .silent)
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied.map(\.migration.version).sorted() == [1, 2])
        }
    }

    @Test("a migration that cannot lock a busy table in time tries again until it can")
    func lockTimeout() async throws {
        try await withTestDatabase { client, url in
            _ = try await Migrator(client, [self.first]).apply(logger: .silent)
            let altering = Migration(version: 2, name: "alter", sql: "alter table one add column m int8")
            let migrator = Migrator(client, [self.first, altering], lockTimeout: .milliseconds(20))
            try await withObserver(url) { observer in
                let migrating = try await client.withTransaction { connection in
                    try await connection.query("select * from one")
                    let migrating = Task { try await migrator.apply(logger: .silent) }
                    for attempt in 1...2 {
                        try await eventually("attempt \(attempt) waits") { try await observer.active("alter table one") == 1 }
                        try await eventually("attempt \(attempt) gives up") { try await observer.active("alter table one") == 0 }
                    }
                    return migrating
                }
                let applied = try await migrating.value
                #expect(applied == [altering.step(.pre)])
            }
        }
    }
}
