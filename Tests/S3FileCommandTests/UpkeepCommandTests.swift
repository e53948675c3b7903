import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File

/// `s3file sweep` and `s3file reconcile` as an operator runs them.
@Suite struct UpkeepCommandTests {
    private struct Site: Sendable {
        var settings: [String: String?]
        var client: S3Client
        var database: PostgresClient
        var bucket: String

        func s3file(_ arguments: [String], _ changes: [String: String?] = [:]) async throws -> (lines: [String], code: Int32) {
            let (lines, code) = try await Program.output(
                "\(Program.folder)/s3file",
                arguments,
                environment: self.settings.merging(changes) { $1 }
            )
            return (lines, code)
        }

        func put(_ key: String, metadata: [String: String] = [:]) async throws {
            _ = try await self.client.putObject(
                bucket: self.bucket,
                key: key,
                body: ByteBuffer(string: "12345"),
                attributes: S3ObjectAttributes(metadata: metadata)
            )
        }

        /// A stored upload by the record, with or without an object.
        func record(_ key: String) async throws -> UUID {
            let id = UUID.version7()
            _ = try await self.database.query(
                """
                select s3file.enqueue(bucket => \(self.bucket), tmp_key => \("tmp/s3file/f/" + id.uuidString), etag => 'e', size => 5,
                                      key => \(key), upload_id => \(id))
                """
            )
            _ = try await self.database.query("delete from s3file.job where upload_id = \(id)")
            _ = try await self.database.query(
                "update s3file.upload set state = 2, attempt = 1, finished_at = now(), stored_etag = 'e' where id = \(id)"
            )
            return id
        }
    }

    private func withSite<R: Sendable>(migrated: Bool = true, _ body: (Site) async throws -> R) async throws -> R {
        try await withTestDatabase { database, url in
            if migrated { _ = try await Migrator.uploads(database).apply(logger: .quiet) }
            return try await TestDevServer.run { server in
                let settings: [String: String?] = [
                    "DATABASE_URL": url, "AWS_ENDPOINT_URL_S3": server.endpoint, "AWS_ACCESS_KEY_ID": "s3file-dev",
                    "AWS_SECRET_ACCESS_KEY": "s3file-dev-secret-key", "S3FILE_BUCKET": server.bucket, "S3FILE_SECRET": nil,
                    "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
                ]
                return try await TestStore.withClient(server.s3Configuration) { client, _ in
                    try await body(Site(settings: settings, client: client, database: database, bucket: server.bucket))
                }
            }
        }
    }

    private func object(_ line: String?) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data((line ?? "").utf8)) as? [String: Any])
    }

    @Test func `a sweep tells what it did in words and as JSON, and what it would do`() async throws {
        try await self.withSite { site in
            for key in ["tmp/s3file/f/1", "tmp/s3file/f/2"] { try await site.put(key) }
            let young = try await site.s3file(["sweep"])
            #expect(young.code == 0 && young.lines == ["2 tmp objects listed, 0 removed, 0 bytes freed."])
            let dry = try await site.s3file(["sweep", "--dry-run", "--json"])
            #expect(dry.code == 0 && dry.lines.count == 1)
            let answer = try self.object(dry.lines.first)
            #expect(answer["dryRun"] as? Bool == true && answer["listed"] as? Int == 2 && answer["removed"] as? Int == 0)
            // Somebody else is at it.
            _ = try await UploadQueue(client: site.database).beginSweep(
                bucket: site.bucket,
                prefix: "tmp/s3file/",
                holder: "another host (process 7)",
                every: .zero,
                anew: true
            )
            let busy = try await site.s3file(["sweep"])
            #expect(busy.code == 69 && busy.lines.count == 1)
            #expect(busy.lines.first?.contains("another host (process 7) is at it since ") == true)
        }
    }

    @Test func `a sweep that is killed keeps its place for whoever goes on, and nobody begins meanwhile`() async throws {
        try await withMigratedDatabase { database, url in
            let queue = UploadQueue(client: database)
            let program = "\(Program.folder)/s3file"
            try await ListingStore.with(objects: 20_000, in: "tmp/s3file/f/", pause: 0.2, database: url) { settings in
                try await Program.with(program, ["sweep"], environment: settings) { sweep in
                    try await eventually("it has done a page") {
                        try await queue.sweepState(bucket: "media", prefix: "tmp/s3file/").map { $0.removed >= 1_000 } ?? false
                    }
                    sweep.send(signal: SIGKILL)
                    try await sweep.end()
                }
                let busy = try await Program.output(program, ["sweep"], environment: settings)
                #expect(busy.exitCode == 69, "\(busy.lines)")
                _ = try await database.query("update s3file.sweep set expires_at = now()")
                let state = try #require(try await queue.sweepState(bucket: "media", prefix: "tmp/s3file/"))
                let pass = try #require(
                    try await queue.beginSweep(bucket: "media", prefix: "tmp/s3file/", holder: "next", every: .seconds(3600))
                )
                #expect(pass.after == String(format: "tmp/s3file/f/%08d", state.removed - 1))
                // Marked, page by page: what was not looked at is not.
                let marked = try await database.query("select count(*) as count from s3file.upload where state = 5")[0][
                    "count",
                    Int64.self
                ]
                #expect(marked >= state.removed && marked <= state.removed + 1_000)
            }
        }
    }

    @Test func `a reconciliation ends with 0 where all is well, with 2 where it is not, and with 0 once it is mended`()
        async throws
    {
        try await self.withSite { site in
            let well = try await site.s3file(["reconcile"])
            #expect(well.code == 0 && well.lines.last == "All is well.", "\(well.lines)")

            let id = try await site.record("docs/gone")
            let found = try await site.s3file(["reconcile"])
            #expect(found.code == 2)
            let line = "missing  s3://\(site.bucket)/docs/gone  upload \(id.uuidString.lowercased())"
            #expect(found.lines.first == line + "  It is stored by the record, and no object is there.")
            #expect(found.lines.last?.split(separator: " ") == ["missing", "1", "0", "1"])

            let json = try await site.s3file(["reconcile", "--json", "--apply"])
            #expect(json.code == 2 && json.lines.count == 2)
            let told = try self.object(json.lines.first)
            #expect(told["class"] as? String == "missing" && told["upload"] as? String == id.uuidString.lowercased())
            #expect(told["repair"] as? String == "forget" && told["outcome"] as? String == "needs_force")
            let summary = try #require(try self.object(json.lines.last)["summary"] as? [String: Any])
            #expect(summary["agrees"] as? Bool == false)

            let mended = try await site.s3file(["reconcile", "--apply", "--force"])
            #expect(
                mended.code == 0 && mended.lines.first == line + "  It is stored by the record, and no object is there.  Mended."
            )
            #expect(try await site.s3file(["reconcile"]).code == 0)
        }
    }

    @Test func `a hostile key breaks no line`() async throws {
        try await self.withSite { site in
            _ = try await site.record("docs/\u{202E}gnp.exe")
            let found = try await site.s3file(["reconcile"])
            #expect(found.lines.first?.contains("docs/\u{FFFD}gnp.exe") == true)
        }
    }

    @Test(arguments: [
        ["reconcile", "--force"], ["reconcile", "--limit", "0"], ["reconcile", "--stuck-after", "0"], ["sweep", "--dry"],
    ])
    func `a wrong command line is told`(arguments: [String]) async throws {
        let (lines, code) = try await Program.output("\(Program.folder)/s3file", arguments, environment: [:])
        #expect(code == 64 && lines.first?.hasPrefix("Error: ") == true)
    }

    @Test(arguments: [["sweep"], ["sweep", "--dry-run"], ["reconcile"], ["reconcile", "--apply", "--force"]])
    func `what keeps a command from its work is one sentence and an exit code, and nothing has changed`(arguments: [String])
        async throws
    {
        try await self.withSite { site in
            try await site.put("tmp/s3file/f/1")
            let cases: [([String: String?], Int32, String)] = [
                (["DATABASE_URL": "postgresql://s3file@127.0.0.1:1/none"], 69, "check DATABASE_URL"),
                (["AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"], 69, "127.0.0.1:1"),
                (["S3FILE_BUCKET": "no-such-bucket"], 77, "no-such-bucket"),
                (["AWS_SECRET_ACCESS_KEY": "wrong"], 77, "AccessDenied"),
                (["S3FILE_BUCKET": nil], 78, "S3FILE_BUCKET"),
            ]
            for (changes, expected, words) in cases {
                let (lines, code) = try await site.s3file(arguments, changes)
                let sentences = lines.filter { !$0.contains(" warning ") && !$0.contains(" info ") && !$0.contains(" notice ") }
                #expect(code == expected && sentences.count == 1, "\(changes): \(code) \(lines)")
                #expect(sentences.first?.contains(words) == true, "\(lines)")
            }
            let sweeps = try await site.database.query("select 1 as one from s3file.sweep")
            #expect(sweeps.isEmpty)
            #expect(try await site.client.listObjects(bucket: site.bucket).objects.count == 1)
        }
        try await self.withSite(migrated: false) { site in
            let (lines, code) = try await site.s3file(arguments)
            #expect(code == 3 && lines.count == 1 && lines.first?.contains("s3file migrate") == true, "\(lines)")
        }
    }
}
