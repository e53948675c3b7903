import Foundation
import TestEnvironment
import Testing

@testable import S3File

/// `s3file serve` as an operator runs it.
@Suite(.timeLimit(.minutes(3)))
struct ServeCommandTests {
    private static let key = "0123456789abcdefghijklmnopqrstuv"
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// What the environment of the command is; the database only has to be there for what runs.
    private func settings(_ url: String = "postgresql://127.0.0.1:1/none", _ server: TestDevServer? = nil) -> [String: String?] {
        [
            "DATABASE_URL": url, "AWS_ENDPOINT_URL_S3": server?.endpoint, "AWS_ACCESS_KEY_ID": "s3file-dev",
            "AWS_SECRET_ACCESS_KEY": "s3file-dev-secret-key", "S3FILE_BUCKET": server?.bucket ?? "media", "S3FILE_SECRET": nil,
            "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
            "S3FILE_HOST": "0.0.0.0",
            "S3FILE_PORT": nil, "S3FILE_SOCKET": nil, "S3FILE_API_KEYS": Self.key,
            "S3FILE_FIELDS": Self.root.appending(path: "Examples/Django/fields.json").path,
        ]
    }

    private func serve(_ arguments: [String] = [], _ changes: [String: String?] = [:]) async throws -> (text: String, code: Int32)
    {
        var settings = self.settings()
        for (name, value) in changes { settings.updateValue(value, forKey: name) }
        let (lines, code) = try await Program.output("\(Program.folder)/s3file", ["serve"] + arguments, environment: settings)
        return (lines.joined(separator: "\n"), code)
    }

    /// Runs it on a database of its own, and gives `body` its address.
    private func withService(
        _ arguments: [String] = [],
        _ changes: [String: String?] = [:],
        _ body: @Sendable (Program, String) async throws -> Void
    ) async throws {
        try await withMigratedDatabase { _, url in
            try await TestDevServer.run { server in
                let settings = self.settings(url, server).merging(changes) { $1 }
                let (_, code) = try await Program.with(
                    "\(Program.folder)/s3file",
                    ["serve"] + arguments,
                    environment: settings
                ) { service in
                    let line = try await service.line(containing: "s3file.address=")
                    let address = line.firstMatch(of: /s3file\.address=(\S+)/).map { String($0.1) } ?? ""
                    try await body(service, address)
                    service.send(signal: SIGTERM)
                    try await service.end()
                }
                #expect(code == 0)
            }
        }
    }

    @Test func `it refuses to start without keys, with short ones, or without fields`() async throws {
        for (name, value, expected) in [
            ("S3FILE_API_KEYS", nil, "S3FILE_API_KEYS is not set"), ("S3FILE_API_KEYS", "", "S3FILE_API_KEYS is not set"),
            ("S3FILE_API_KEYS", "short-and-secret", "key 1 has 16 bytes"), ("S3FILE_FIELDS", nil, "S3FILE_FIELDS is not set"),
            ("S3FILE_FIELDS", "/nowhere/fields.json", "/nowhere/fields.json cannot be read"),
            ("S3FILE_PORT", "x", "S3FILE_PORT must be a number"),
            ("S3FILE_API_REQUESTS", "0", "S3FILE_API_REQUESTS must be"),
        ] as [(String, String?, String)] {
            let refused = try await self.serve([], [name: value])
            #expect(refused.code == 78 && refused.text.contains(expected), "\(refused)")
            #expect(!refused.text.contains("short-and-secret") && refused.text.split(separator: "\n").count == 1, "\(refused)")
        }
        #expect(try await self.serve(["--port", "1", "--socket", "/x"]).code == 64)
        #expect(try await self.serve(["--host", "0.0.0.0", "--socket", "/x"]).code == 78)
    }

    @Test func `with a health port it answers probes and Prometheus, whom nobody passes on`() async throws {
        try await self.withService(["--health-port", "0", "--port", "0"]) { service, address in
            let line = try await service.line(containing: "Health and metrics are served")
            let port = try #require(line.firstMatch(of: /127\.0\.0\.1[^"]*:(\d+)/)).1
            func get(_ url: String) async throws -> String {
                try await Program.output("curl", ["-sS", "-m", "10", url]).lines.joined(separator: "\n")
            }
            let well = #"{"checks":{"database":"ok","schema":"ok","stopping":"ok"},"status":"ok"}"#
            for place in ["http://127.0.0.1:\(port)", address] {
                try await eventually("it is ready") { try await get(place + "/health/ready") == well }
            }
            let metrics = try await get("http://127.0.0.1:\(port)/metrics")
            #expect(metrics.contains("s3file_"), "\(metrics)")
            #expect(try await Promtool.complaints(about: metrics + "\n") == [])
            #expect(try await !get(address + "/metrics").contains("s3file_"))
        }
    }

    @Test func `what is wrong with the fields is told line by line`() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "fields.json")
            try Data("{\"fields\": [\n{\"name\": \"a b\", \"uploadTo\": \"a\",\n \"maximumSize\": \"1 XB\"}]}".utf8).write(
                to: file
            )
            let refused = try await self.serve(["--fields", file.path])
            let lines = refused.text.split(separator: "\n")
            #expect(refused.code == 78 && lines.count == 2, "\(refused)")
            #expect(lines.first?.hasPrefix("\(file.path):2:10: fields[0].name: ") == true, "\(refused)")
            #expect(lines.last?.hasPrefix("\(file.path):3:17: fields[0].maximumSize: ") == true, "\(refused)")
        }
    }

    @Test func `in production it refuses the development server and the default secret`() async throws {
        let server = try await self.serve(
            [],
            ["S3FILE_ENVIRONMENT": "production", "S3FILE_SECRET": String(repeating: "x1", count: 20)]
        )
        #expect(server.code == 78 && server.text.contains("s3file.E001"), "\(server)")
        let secret = try await self.serve(
            [],
            [
                "S3FILE_ENVIRONMENT": "production", "S3FILE_SECRET": S3FileConfiguration.developmentSecret,
                "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            ]
        )
        #expect(secret.code == 78 && secret.text.contains("s3file.E002"), "\(secret)")
    }

    @Test func `it listens on this machine alone, whatever the environment says, and ends well on SIGTERM`() async throws {
        try await self.withService(["--port", "0"]) { service, address async throws in
            #expect(address.hasPrefix("http://127.0.0.1:"), "\(address)")
            #expect(!service.output.contains { $0.contains("Other machines can reach this") })
        }
        try await self.withService(["--port", "0", "--host", "0.0.0.0"]) { service, address async throws in
            #expect(address.hasPrefix("http://0.0.0.0:"), "\(address)")
            #expect(service.output.contains { $0.contains("Other machines can reach this") })
        }
    }

    @Test func `it listens at a socket`() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.path + "/s"
            try await self.withService(["--socket", path]) { _, address async throws in
                #expect(address == "unix:\(path)")
                let (lines, code) = try await Program.output(
                    "curl",
                    ["-sf", "--unix-socket", path, "http://localhost/health/live"]
                )
                #expect(code == 0 && lines == [#"{"checks":{},"status":"ok"}"#], "\(lines)")
            }
        }
    }

    @Test func `a database that is not migrated ends it with the remedy`() async throws {
        try await withTestDatabase { _, url in
            let settings = self.settings(url).merging(["S3FILE_PORT": "0"]) { $1 }
            let (lines, code) = try await Program.output("\(Program.folder)/s3file", ["serve"], environment: settings)
            #expect(code == 3 && lines.joined().contains("run s3file migrate"), "\(lines)")
        }
    }

    @Test func `the README's example runs`() async throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        let section = try #require(readme.firstRange(of: "### From apps in other languages").map { readme[$0.upperBound...] })
        let block = try #require(section.firstMatch(of: /```sh\n(.*?)```/.dotMatchesNewlines())?.1)
        let curl = try #require(block.firstRange(of: "curl ").map { block[$0.lowerBound...] })
        try await self.withService(["--port", "0"]) { _, address async throws in
            let command = curl.replacing("http://127.0.0.1:8080", with: address)
            #expect(command.contains(address))
            let (lines, code) = try await Program.output(
                "bash",
                ["-c", "set -eu\n" + command],
                environment: ["S3FILE_API_KEYS": Self.key]
            )
            let text = lines.joined()
            #expect(code == 0 && text.contains("\"ticket\":") && text.contains("<input type="), "\(lines)")
        }
    }
}
