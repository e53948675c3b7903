import Foundation
import Migrations
import Postgres
import S3File
import TestEnvironment
import Testing

/// `s3file migrate` and `up.psql` as an operator runs them: processes, with exit codes.
@Suite struct MigrateCommandTests {
    private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../migrations")
        .standardized
    private let newest = Migrations.all.map(\.number).max() ?? 0

    private func s3file(
        _ arguments: [String],
        _ url: String,
        _ settings: [String: String?] = [:]
    ) async throws -> (text: String, code: Int32) {
        let (lines, code) = try await Program.output(
            "\(Program.folder)/s3file",
            arguments,
            environment: settings.merging(["DATABASE_URL": url, "S3FILE_CONFIG": nil]) { $1 }
        )
        return (lines.joined(separator: "\n"), code)
    }

    private func psql(_ arguments: [String], _ url: String) async throws -> (text: String, code: Int32) {
        let (lines, code) = try await Program.output("psql", ["-X", "-v", "ON_ERROR_STOP=1"] + arguments + [url])
        return (lines.joined(separator: "\n"), code)
    }

    /// The driver, on its own folder.
    private func upPsql(_ url: String, _ arguments: [String] = []) async throws -> (text: String, code: Int32) {
        try await self.psql(["-v", "folder=\(self.folder.path)", "-f", "\(self.folder.path)/up.psql"] + arguments, url)
    }

    // MARK: Status

    @Test func `status tells what is pending, and then that all is applied; the exit code says the same`() async throws {
        try await withTestDatabase { client, url in
            let before = try await self.s3file(["migrate", "status"], url)
            #expect(before.code == 3 && before.text.contains(/1 +uploads +pending/), "\(before.text)")
            let schemas = try await client.query("select count(*) as n from pg_namespace where nspname = 's3file'")[0]
            #expect(try schemas["n", Int64.self] == 0)
            let up = try await self.s3file(["migrate", "up"], url)
            #expect(up.code == 0 && up.text.contains("Applied 1 uploads"))
            let after = try await self.s3file(["migrate", "status"], url)
            #expect(after.code == 0 && after.text.contains(/1 +uploads +applied +20\d\d-/), "\(after.text)")
            let json = try await self.s3file(["migrate", "status", "--json"], url)
            #expect(json.code == 0 && json.text.contains(#""upToDate":true"#) && json.text.contains(#""state":"applied""#))
        }
    }

    @Test func `status exits with 4 when migrate would refuse, and migrate says why`() async throws {
        try await withMigratedDatabase { client, url in
            try await client.query("insert into s3file.schema_migration (version, name, checksum) values (9999, 'later', 'x')")
            let unknown = try await self.s3file(["migrate", "status"], url)
            #expect(unknown.code == 4 && unknown.text.contains(/9999 +later +unknown/), "\(unknown.text)")
            let newer = try await self.s3file(["migrate"], url)
            #expect(newer.code == 4 && newer.text.contains("9999 (later)"))
            try await client.query("delete from s3file.schema_migration where version = 9999")
            try await client.query("update s3file.schema_migration set checksum = 'x' where version = 1")
            let edited = try await self.s3file(["migrate", "status", "--json"], url)
            #expect(edited.code == 4 && edited.text.contains(#""editedPart":"pre""#), "\(edited.text)")
            let check = try await self.s3file(
                ["check", "--bucket", "media", "--endpoint-url", "http://127.0.0.1:9"],
                url,
                ["AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"]
            )
            #expect(check.text.contains("s3file.E007: The tables are not those of this program (version 1)"), "\(check.text)")
            let refused = try await self.s3file(["migrate"], url)
            #expect(refused.code == 4 && refused.text.contains("has been edited since it was applied"))
        }
    }

    // MARK: Up and down

    @Test func `up goes as far as it is told, and down asks before it loses anything`() async throws {
        try await withTestDatabase { _, url in
            let one = try await self.s3file(["migrate", "--to", "1"], url)
            #expect(one.code == 0 && one.text.contains("Applied 1 uploads"))
            let status = try await self.s3file(["migrate", "status"], url)
            #expect(status.code == (self.newest > 1 ? 3 : 0))
            let asked = try await self.s3file(["migrate", "down", "--to", "1"], url)
            #expect(asked.code == 64 && asked.text.contains("say --yes"))
            let nothing = try await self.s3file(["migrate", "down", "--to", "1", "--yes"], url)
            #expect(nothing.code == 0 && nothing.text.contains("not above version 1"))
            let refused = try await self.s3file(["migrate", "down", "--to", "0", "--yes"], url)
            #expect(refused.code == 1 && refused.text.contains("1 (uploads) has no down part"))
            let absent = try await self.s3file(["migrate", "up", "--to", "9999"], url)
            #expect(absent.code == 64 && absent.text.contains("There is no migration 9999"))
        }
    }

    @Test func `two processes that migrate at once apply each version once`() async throws {
        try await withTestDatabase { _, url in
            async let one = self.s3file(["migrate"], url)
            async let other = self.s3file(["migrate"], url)
            async let third = self.upPsql(url)
            let results = try await [one, other, third]
            #expect(results.allSatisfy { $0.code == 0 }, "\(results)")
            #expect(results.map(\.text).joined().components(separatedBy: "Applied 1 uploads").count == 2)
            let status = try await self.s3file(["migrate", "status"], url)
            #expect(status.code == 0, "\(status.text)")
        }
    }

    // MARK: psql

    @Test func `up.psql applies everything, and s3file migrate then finds nothing to do, and the other way round`() async throws {
        try await withTestDatabase { _, url in
            let first = try await self.upPsql(url)
            #expect(first.code == 0 && first.text.contains("Applied \(self.newest) "), "\(first.text)")
            let status = try await self.s3file(["migrate", "status"], url)
            #expect(status.code == 0, "\(status.text)")
            let migrate = try await self.s3file(["migrate"], url)
            #expect(migrate.code == 0 && migrate.text == "The tables are up to date.")
            let again = try await self.upPsql(url)
            #expect(again.code == 0 && again.text == "The tables are up to date.")
        }
        try await withMigratedDatabase { _, url in
            let nothing = try await self.upPsql(url)
            #expect(nothing.code == 0 && nothing.text == "The tables are up to date.")
        }
    }

    @Test func `up.psql goes on from version 1 of an old release, and refuses edited and unknown versions`() async throws {
        try await withTestDatabase { client, url in
            _ = try await Migrator.uploads(client).apply(to: 1, logger: .quiet)
            // As an old release left it.
            try await client.query(
                "alter table s3file.schema_migration drop post_checksum, drop post_applied_at, drop down_checksum, drop breaking"
            )
            let up = try await self.upPsql(url)
            #expect(up.code == 0 && up.text.hasSuffix("The tables are up to date."), "\(up.text)")
            try await client.query("insert into s3file.schema_migration (version, name, checksum) values (9999, 'later', 'x')")
            let unknown = try await self.upPsql(url)
            #expect(unknown.code == 3 && unknown.text.contains("9999 (later)"))
            try await client.query("delete from s3file.schema_migration where version = 9999")
            try await client.query("update s3file.schema_migration set checksum = 'x' where version = 1")
            let edited = try await self.upPsql(url)
            #expect(edited.code == 3 && edited.text.contains("1 (uploads) has been edited"), "\(edited.text)")
        }
    }

    @Test func `up.psql knows parts, failures and files outside a transaction`() async throws {
        try await withTestDatabase { client, url in
            try await withTemporaryFolder { folder in
                // A folder with a space in its name, and versions beyond ours.
                let copy = folder.appending(path: "my migrations")
                try FileManager.default.copyItem(at: self.folder, to: copy)
                let (two, three, four) = (self.newest + 1, self.newest + 2, self.newest + 3)
                let files: [(String, String)] = [
                    ("\(two)_parts.sql", "-- s3file: breaks older code\ncreate table s3file.parts (n int8);\n"),
                    ("\(two)_parts.post.sql", "alter table s3file.parts add column m int8;\n"),
                    (
                        "\(three)_index.sql",
                        """
                        -- s3file: no transaction
                        drop index concurrently if exists s3file.parts_n;
                        create index concurrently parts_n on s3file.parts (n);\n
                        """
                    ),
                    ("\(four)_broken.sql", "create table s3file.broken (n int8);\n\nselect * from nowhere;\n"),
                ]
                for (name, sql) in files { try Data(sql.utf8).write(to: copy.appending(path: name)) }
                var driver = try String(contentsOf: copy.appending(path: "up.psql"), encoding: .utf8)
                let lines = ["\(two)_parts", "\(three)_index", "\(four)_broken"].map {
                    "\\set migration \($0) \\ir psql/apply.psql\n"
                }
                driver.replace("\\ir psql/end.psql", with: lines.joined() + "\\ir psql/end.psql")
                try Data(driver.utf8).write(to: copy.appending(path: "up.psql"))
                let run = ["-v", "folder=\(copy.path)", "-f", "\(copy.path)/up.psql"]

                let pre = try await self.psql(["-v", "part=pre"] + run, url)
                #expect(pre.code == 3 && pre.text.contains("comes after the post part of \(two)"), "\(pre.text)")
                try await client.query("delete from s3file.schema_migration where version = \(Int64(two))")
                let unsafe = try await self.psql(["-v", "part=pre"] + run, url)
                #expect(unsafe.code == 3 && unsafe.text.contains("breaks the code of earlier versions"), "\(unsafe.text)")
                try await client.query("drop table s3file.parts")
                let all = try await self.psql(run, url)
                #expect(all.code == 3 && all.text.contains("Applied \(three) index"), "\(all.text)")
                #expect(all.text.contains("\(four)_broken.sql:3: ERROR") && all.text.contains("nowhere"))
                let left = try await client.query("select to_regclass('s3file.broken') is null as rolled_back")[0]
                #expect(try left["rolled_back", Bool.self])
                let record = try await client.query(
                    """
                    select string_agg(concat_ws(' ', version - \(Int64(self.newest)), breaking, post_applied_at is not null), ', ' order by version)
                        as text
                      from s3file.schema_migration where version > \(Int64(self.newest))
                    """
                )[0]
                #expect(try record["text", String.self] == "1 t t, 2 f f")
            }
        }
    }

    @Test func `up.psql and the binary know the same files`() throws {
        let driver = try String(contentsOf: self.folder.appending(path: "up.psql"), encoding: .utf8)
        let listed = driver.matches(of: #/\\set migration (\S+) /#).map { String($0.1) }
        #expect(listed == Migrations.all.map { String(format: "%04d_", $0.number) + $0.name })
        let files = try FileManager.default.contentsOfDirectory(atPath: self.folder.path).filter { $0.contains(/^\d{4}_/) }
        let known = Migrations.all.flatMap { version in
            let name = String(format: "%04d_", version.number) + version.name
            return ["\(name).sql"] + (version.post == nil ? [] : ["\(name).post.sql"])
                + (version.down == nil ? [] : ["\(name).down.sql"])
        }
        #expect(files.sorted() == known.sorted())
    }

    @Test func `after psql alone, migrate names the remedy, and adopt is it`() async throws {
        try await withTestDatabase { client, url in
            let alone = try await self.psql(["--single-transaction", "-f", "\(self.folder.path)/0001_uploads.sql"], url)
            #expect(alone.code == 0)
            let refused = try await self.s3file(["migrate"], url)
            #expect(refused.code == 4 && refused.text.contains("run s3file migrate adopt 1"), "\(refused.text)")
            let driver = try await self.upPsql(url)
            #expect(driver.code == 3 && driver.text.contains("s3file migrate adopt"), "\(driver.text)")
            let adopted = try await self.s3file(["migrate", "adopt", "1"], url)
            #expect(adopted.code == 0 && adopted.text.contains("Recorded 1 uploads"), "\(adopted.text)")
            let migrated = try await self.s3file(["migrate"], url)
            #expect(migrated.code == 0, "\(migrated.text)")
            let status = try await self.s3file(["migrate", "status"], url)
            #expect(status.code == 0)
            // Not what is not there.
            try await client.query("drop schema s3file cascade")
            let absent = try await self.s3file(["migrate", "adopt", "1"], url)
            #expect(absent.code == 4 && absent.text.contains("cannot be adopted"))
        }
    }

    @Test func `all files run by psql alone can be adopted`() async throws {
        try await withTestDatabase { _, url in
            for version in Migrations.all {
                for part in ["", ".post"] where part.isEmpty || version.post != nil {
                    let file = String(format: "%04d_", version.number) + version.name + part + ".sql"
                    let text = part.isEmpty ? version.pre : version.post ?? ""
                    let transaction = text.hasPrefix("-- s3file: no transaction") ? [] : ["--single-transaction"]
                    let run = try await self.psql(["-q"] + transaction + ["-f", "\(self.folder.path)/\(file)"], url)
                    #expect(run.code == 0, "\(run.text)")
                }
            }
            let adopted = try await self.s3file(["migrate", "adopt", "\(self.newest)"], url)
            #expect(adopted.code == 0, "\(adopted.text)")
            let status = try await self.s3file(["migrate", "status"], url)
            #expect(status.code == 0, "\(status.text)")
        }
    }
}
