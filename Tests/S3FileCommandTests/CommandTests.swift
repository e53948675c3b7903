import Foundation
import TestEnvironment
import Testing

@testable import S3File

/// The commands as an operator runs them: processes, with exit codes.
@Suite struct CommandTests {
    /// What the environment of a command is, on a database and a bucket of its own.
    private func withSettings<R: Sendable>(
        migrated: Bool = true,
        _ body: ([String: String?], String) async throws -> R
    ) async throws -> R {
        try await withTestDatabase { _, url in
            try await TestDevServer.run { server in
                let settings: [String: String?] = [
                    "DATABASE_URL": url, "AWS_ENDPOINT_URL_S3": server.endpoint, "AWS_ACCESS_KEY_ID": "s3file-dev",
                    "AWS_SECRET_ACCESS_KEY": "s3file-dev-secret-key", "S3FILE_BUCKET": server.bucket, "S3FILE_SECRET": nil,
                    "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
                ]
                if migrated {
                    let (_, code) = try await self.s3file(["migrate"], settings)
                    #expect(code == 0)
                }
                return try await body(settings, url)
            }
        }
    }

    private func s3file(_ arguments: [String], _ settings: [String: String?]) async throws -> (text: String, code: Int32) {
        let (lines, code) = try await Program.output("\(Program.folder)/s3file", arguments, environment: settings)
        return (lines.joined(separator: "\n"), code)
    }

    @Test func `migrate makes the tables, and again finds nothing to do`() async throws {
        try await self.withSettings(migrated: false) { settings, _ in
            let first = try await self.s3file(["migrate"], settings)
            #expect(first.text.contains("Applied 1 uploads") && first.code == 0)
            let second = try await self.s3file(["migrate"], settings)
            #expect(second.text.contains("up to date") && second.code == 0)
        }
    }

    @Test func `status shows one upload, and says when there is none`() async throws {
        try await self.withSettings { settings, url in
            let configuration = try S3FileConfiguration(
                databaseURL: url,
                bucket: "media",
                credentials: .keys(accessKeyID: "x", secretAccessKey: "x"),
                secrets: [S3FileConfiguration.developmentSecret]
            )
            let promise = UploadPromise(
                id: .version7(),
                field: "docs",
                tmpBucket: "media",
                tmpKey: "tmp/s3file/f/x",
                filename: "a&b<c>.txt",
                size: 12,
                contentType: "text/plain",
                etag: "\"e\"",
                versionID: nil,
                owner: nil,
                requestedKey: "docs/x.txt"
            )
            _ = try await Connections.with(configuration, logger: .quiet) { try await $0.queue.enqueue([promise], hold: nil) }
            let found = try await self.s3file(["status", promise.id.uuidString], settings)
            #expect(found.code == 0 && found.text.contains("queued  a&b<c>.txt  12 bytes"))
            let json = try await self.s3file(["status", "--json", promise.id.uuidString], settings)
            #expect(json.text.contains(#""status":"queued""#))
            let none = try await self.s3file(["status", UUID().uuidString], settings)
            #expect(none.code == 2 && none.text.contains("There is no upload"))
            let malformed = try await self.s3file(["status", "x"], settings)
            #expect(malformed.code == 64 && malformed.text.contains("is not an upload's id"))
        }
    }

    @Test func `a worker in production refuses the development server and secret`() async throws {
        try await self.withSettings { settings, _ in
            let production = settings.merging([
                "S3FILE_ENVIRONMENT": "production", "S3FILE_SECRET": S3FileConfiguration.developmentSecret,
            ]) { $1 }
            let refused = try await self.s3file(["worker"], production)
            #expect(refused.code == 78 && refused.text.contains("s3file.E001: "))
        }
    }

    @Test func `a worker works until SIGTERM, and ends well`() async throws {
        try await self.withSettings { settings, _ in
            let (_, code) = try await Program.with("\(Program.folder)/s3file", ["worker"], environment: settings) { worker in
                _ = try await worker.line(containing: "Worker registered")
                worker.send(signal: SIGTERM)
                try await worker.end()
            }
            #expect(code == 0)
        }
    }

    @Test func `sweep tells what it did`() async throws {
        try await self.withSettings { settings, _ in
            let swept = try await self.s3file(["sweep"], settings)
            #expect(swept.code == 0 && swept.text.contains("0 tmp objects listed, 0 removed, 0 bytes freed."))
        }
    }

    @Test func `flags go before the environment, the environment before the file`() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "settings.json")
            try Data(#"{"s3file": {"bucket": "of-the-file", "environment": "nonsense"}, "database": {"url": "x"}}"#.utf8).write(
                to: file
            )
            let settings: [String: String?] = [
                "S3FILE_CONFIG": file.path, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "DATABASE_URL": nil,
                "S3FILE_ENVIRONMENT": nil, "S3FILE_BUCKET": nil,
            ]
            let ofFile = try await self.s3file(["sweep"], settings)
            #expect(ofFile.text.contains(#"S3FILE_ENVIRONMENT is "nonsense""#))
            let ofEnvironment = try await self.s3file(["sweep"], settings.merging(["S3FILE_ENVIRONMENT": "other"]) { $1 })
            #expect(ofEnvironment.text.contains(#"S3FILE_ENVIRONMENT is "other""#))
            let ofFlag = try await self.s3file(
                ["sweep", "--environment", "third"],
                settings.merging(["S3FILE_ENVIRONMENT": "other"]) { $1 }
            )
            #expect(ofFlag.text.contains(#"S3FILE_ENVIRONMENT is "third""#))
        }
    }

    @Test func `a missing setting is one sentence that names it`() async throws {
        let missing = try await self.s3file(["worker"], ["DATABASE_URL": nil, "S3FILE_CONFIG": nil])
        #expect(missing.code == 78)
        #expect(missing.text.contains("DATABASE_URL is not set: set it to your Postgres"))
        #expect(missing.text.split(separator: "\n").count == 1)
    }
}
