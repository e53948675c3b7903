import Postgres
import TestEnvironment
import Testing

/// Scripts that run outside a transaction, and what a crash in the middle of one leaves.
@Suite("Migrations outside a transaction", .timeLimit(.minutes(1)))
struct NoTransactionTests {
    private let first = Migration(version: 1, name: "one", sql: "create table one (n int8); insert into one values (1);")
    private let index = Migration(
        version: 2,
        name: "index",
        sql: """
            -- s3file: no transaction
            drop index concurrently if exists one_n;
            create index concurrently one_n on one (n);
            """,
        down: "-- s3file: no transaction\ndrop index concurrently if exists one_n;"
    )

    private func isValid(_ client: PostgresClient) async throws -> Bool? {
        try await client.query("select indisvalid from pg_index where indexrelid = to_regclass('one_n')").first.map {
            try $0[0, Bool.self]
        }
    }

    @Test("an index is built concurrently and recorded after, and taken back the same way")
    func concurrently() async throws {
        try await withTestDatabase { client, _ in
            let migrator = Migrator(client, [self.first, self.index])
            let steps = try await migrator.apply(logger: .silent)
            #expect(steps.map(\.migration.version) == [1, 2])
            #expect(try await self.isValid(client) == true)
            _ = try await migrator.revert(to: 1, logger: .silent)
            #expect(try await self.isValid(client) == nil)
            let settings = try await client.query("select current_setting('lock_timeout') as lock")[0]
            #expect(try settings["lock", String.self] == "0")
        }
    }

    @Test("a crash in the middle leaves it pending, and the next run repeats it to the end")
    func crash() async throws {
        try await withTestDatabase { client, url in
            _ = try await Migrator(client, [self.first]).apply(logger: .silent)
            let migrator = Migrator(client, [self.first, self.index])
            try await withObserver(url) { observer in
                // A writer that does not end keeps the build in its middle.
                try await client.withTransaction { writer in
                    try await writer.query("insert into one values (2)")
                    let migrating = Task { try await migrator.apply(logger: .silent) }
                    try await eventually("the index is half built") { try await self.isValid(client) == false }
                    try await observer.query(
                        """
                        select pg_terminate_backend(pid) from pg_stat_activity
                         where datname = current_database() and query like 'create index concurrently%'
                        """
                    )
                    let result = await migrating.result
                    #expect(throws: (any Error).self) { try result.get() }
                    #expect(try await self.isValid(client) == false)
                    #expect(try await migrator.status().last?.state == .pending)
                }
                let steps = try await migrator.apply(logger: .silent)
                #expect(steps == [self.index.step(.pre)])
                #expect(try await self.isValid(client) == true)
            }
        }
    }

    @Test("another process that wants to migrate meanwhile waits, and holds nothing up")
    func waiting() async throws {
        try await withTestDatabase { client, url in
            _ = try await Migrator(client, [self.first]).apply(logger: .silent)
            let migrator = Migrator(client, [self.first, self.index])
            try await withObserver(url) { observer in
                let both = try await client.withTransaction { writer in
                    try await writer.query("insert into one values (2)")
                    let one = Task { try await migrator.apply(logger: .silent) }
                    try await eventually("the index is being built") {
                        try await observer.active("create index concurrently") == 1
                    }
                    let other = Task { try await migrator.apply(logger: .silent) }
                    try await Task.sleep(for: .milliseconds(200))
                    return (one, other)
                }
                let first = try await both.0.value
                #expect(first == [self.index.step(.pre)])
                let second = try await both.1.value
                #expect(second.isEmpty)
            }
        }
    }

    @Test("behind a pooler of transactions both kinds of scripts run, and the other clients get connections without our settings")
    func pooler() async throws {
        try await withTestDatabase { _, url in
            try await Pgbouncer.with(to: url) { pooled in
                let client = PostgresClient(configuration: PostgresConfiguration(url: pooled), logger: .silent)
                try await client.whileRunning {
                    let migrator = Migrator(client, [self.first, self.index])
                    let steps = try await migrator.apply(logger: .silent)
                    #expect(steps.count == 2)
                    #expect(try await self.isValid(client) == true)
                    _ = try await migrator.revert(to: 1, logger: .silent)
                    for _ in 1...5 {
                        let settings = try await client.query("select current_setting('lock_timeout') as lock")[0]
                        #expect(try settings["lock", String.self] == "0")
                    }
                }
            }
        }
    }

    @Test("a statement that fails says its line, and that all of it begins anew")
    func failing() async throws {
        try await withTestDatabase { client, _ in
            let broken = Migration(
                version: 1,
                name: "broken",
                sql: "-- s3file: no transaction\ncreate table if not exists one (n int8);\n\nselect *\n  from nowhere;"
            )
            await expectRefusal(.failed, ["1 (broken)", "line 5", "begins anew", "nowhere"]) {
                try await Migrator(client, [broken]).apply(logger: .silent)
            }
        }
    }

    @Test(
        "a script that could not be repeated after a crash, and an unknown directive, are refused before anything runs",
        arguments: [
            ("-- s3file: no transaction\nselect 1;\ncreate index concurrently one_n on one (n);", "line 3"),
            (
                "-- s3file: no transaction\ndrop index concurrently if exists one_n;\ncreate unique index concurrently if not exists one_n on one (n)",
                "line 3"
            ),
            (
                "-- s3file: no transaction\ndrop index concurrently if exists other;\ncreate index concurrently\n one_n on one (n)",
                "line 3"
            ),
            ("-- s3file: no transactions\nselect 1", "no transactions"),
            ("-- s3file:\tno transaction, quick\nselect 1", "quick"),
        ]
    )
    func refused(script: String, word: String) async throws {
        try await withTestDatabase { client, _ in
            await expectRefusal(.invalidScript, ["2 (two)", word]) {
                try await Migrator(client, [self.first, Migration(version: 2, name: "two", sql: script)]).apply(logger: .silent)
            }
            let schemas = try await client.count("select count(*) from pg_namespace where nspname = 's3file'")
            #expect(schemas == 0)
        }
    }
}
