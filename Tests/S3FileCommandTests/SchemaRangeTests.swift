import Foundation
import Logging
import Postgres
import S3File
import TestEnvironment
import Testing

/// Workers and web processes on tables that are not theirs.
@Suite struct SchemaRangeTests {
    private let secret = "a-secret-of-somebody-with-32-bytes-or-more"

    private func settings(_ url: String) -> [String: String?] {
        [
            "DATABASE_URL": url, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "S3FILE_BUCKET": "media", "S3FILE_SECRET": self.secret, "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil,
            "AWS_ENDPOINT_URL": nil,
        ]
    }

    private let breaking: SQL =
        "insert into s3file.schema_migration (version, name, checksum, breaking) values (9999, 'later', 'x', true)"

    @Test func `a worker ends at once before the tables are made, and after they have left it behind`() async throws {
        try await withTestDatabase { client, url in
            let early = try await Program.output("\(Program.folder)/s3file", ["worker"], environment: self.settings(url))
            #expect(early.exitCode == 3)
            #expect(early.lines.last?.contains("run s3file migrate") == true, "\(early.lines)")
            _ = try await Migrator.uploads(client).apply(logger: .quiet)
            try await client.query(self.breaking)
            let late = try await Program.output("\(Program.folder)/s3file", ["worker"], environment: self.settings(url))
            #expect(late.exitCode == 4)
            #expect(late.lines.last?.contains("9999 (later)") == true && late.lines.last?.contains("update this binary") == true)
        }
    }

    @Test func `a web process ends at once, too, with a typed error`() async throws {
        try await withMigratedDatabase { client, url in
            try await client.query(self.breaking)
            let configuration = try S3FileConfiguration(
                databaseURL: url,
                bucket: "media",
                credentials: .keys(accessKeyID: "x", secretAccessKey: "x"),
                secrets: [self.secret]
            )
            let uploads = try Uploads(configuration: configuration, logger: .quiet)
            let error = await #expect(throws: SchemaError.self) { try await uploads.run() }
            #expect(error?.code == .programTooOld)
        }
    }

    @Test func `a worker whose tables go away says what to do, loses nothing, and goes on when they are back`() async throws {
        try await withMigratedDatabase { client, url in
            let (_, code) = try await Program.with("\(Program.folder)/s3file", ["worker"], environment: self.settings(url)) {
                worker in
                _ = try await worker.line(containing: "Worker registered")
                try await client.query("alter schema s3file rename to s3file_away")
                let line = try await worker.line(containing: "trying again")
                #expect(line.contains("run s3file migrate"))
                try await client.query("alter schema s3file_away rename to s3file")
                // Under the same lease, or under a new one.
                try await eventually("the worker lives") {
                    let rows = try await client.query("select 1 from s3file.worker where seen_at > now() - interval '1 second'")
                    return !rows.isEmpty
                }
                worker.send(signal: SIGTERM)
                try await worker.end()
            }
            #expect(code == 0)
        }
    }
}
