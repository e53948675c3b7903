import Foundation
import NIOCore
import Postgres
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileCommand

/// Every command with everything that can be wrong around it: one sentence, the right exit code, nothing changed.
@Suite(.timeLimit(.minutes(5))) struct BadInputTests {
    /// What a command needs, and so can lack.
    struct Needs: OptionSet, Sendable {
        let rawValue: Int
        static let postgres = Needs(rawValue: 1)
        static let tables = Needs(rawValue: 2)
        static let s3 = Needs(rawValue: 4)
        /// It waits for what is away for a while, as a service does.
        static let patient = Needs(rawValue: 8)
    }

    private static let id = "0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60"

    private static let commands: [(arguments: [String], needs: Needs)] = [
        (["migrate"], [.postgres]),
        (["migrate", "status"], [.postgres]),
        (["migrate", "adopt", "1"], [.postgres]),
        (["migrate", "down", "--to", "1", "--yes"], [.postgres]),
        (["list"], [.postgres, .tables]),
        (["status", id], [.postgres, .tables]),
        (["retry", id], [.postgres, .tables]),
        (["cancel", id], [.postgres, .tables]),
        (["queue", "stats"], [.postgres, .tables]),
        (["queue", "pause"], [.postgres, .tables]),
        (["queue", "resume"], [.postgres, .tables]),
        (["queue", "set", "more"], [.postgres, .tables]),
        (["worker"], [.postgres, .tables, .patient]),
        // Without tables it is there, and not ready.
        (["serve", "--port", "0"], [.postgres, .patient]),
        (["sweep"], [.postgres, .s3]),
        (["reconcile"], [.postgres, .tables, .s3]),
        (["bucket", "setup", "--yes", "--origin", "https://app.example.com"], [.s3]),
    ]

    /// What `serve` wants beside that, all of it good.
    private static let service: [String: String?] = [
        "S3FILE_SECRET": String(repeating: "0123456789abcdef", count: 3),
        "S3FILE_API_KEYS": "0123456789abcdefghijklmnopqrstuv",
        "S3FILE_FIELDS": URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Examples/Django/fields.json").standardized.path,
    ]

    struct Trouble: Sendable, CustomTestStringConvertible {
        fileprivate var name: String
        fileprivate var needs: Needs
        fileprivate var reason: ExitReason
        /// Words of the sentence.
        fileprivate var says: String
        fileprivate var settings: @Sendable (CommandLineRun) -> [String: String?]

        var testDescription: String { self.name }
    }

    private static func url(_ run: CommandLineRun) -> String { run.settings["DATABASE_URL"].flatMap { $0 } ?? "" }

    private static func changing(_ run: CommandLineRun, _ change: (inout URLComponents) -> Void) -> String {
        guard var parts = URLComponents(string: Self.url(run)) else { return "" }
        change(&parts)
        return parts.string ?? ""
    }

    static let troubles: [Trouble] = [
        Trouble(name: "no database URL", needs: .postgres, reason: .settings, says: "DATABASE_URL is not set") { _ in
            ["DATABASE_URL": nil]
        },
        Trouble(name: "a database URL that is none", needs: .postgres, reason: .settings, says: "not one that libpq understands")
        { _ in
            ["DATABASE_URL": "user:hunter22@host/database"]
        },
        Trouble(name: "a port that is no number", needs: .postgres, reason: .settings, says: "cannot be used: invalid") { _ in
            ["DATABASE_URL": "postgresql://user:hunter22@host:port/database"]
        },
        Trouble(name: "a host that nobody listens on", needs: .postgres, reason: .unreachable, says: "check DATABASE_URL") { _ in
            ["DATABASE_URL": "postgresql://user:hunter22@127.0.0.1:9/database"]
        },
        Trouble(name: "a host that is not there", needs: .postgres, reason: .unreachable, says: "nowhere.invalid") { _ in
            ["DATABASE_URL": "postgresql://user:hunter22@nowhere.invalid/database"]
        },
        Trouble(name: "a wrong password", needs: .postgres, reason: .refused, says: "password authentication failed") { run in
            ["DATABASE_URL": Self.changing(run) { $0.password = "hunter22" }]
        },
        Trouble(name: "a database that is not there", needs: .postgres, reason: .refused, says: "does not exist") { run in
            ["DATABASE_URL": Self.changing(run) { $0.path = "/no_such_database" }]
        },
        Trouble(
            name: "an S3 that nobody listens on",
            needs: .s3,
            reason: .unreachable,
            says: "no connection to http://127.0.0.1:9"
        ) { _ in
            ["AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"]
        },
        Trouble(name: "an S3 that is not there", needs: .s3, reason: .unreachable, says: "nowhere.invalid") { _ in
            ["AWS_ENDPOINT_URL_S3": "http://nowhere.invalid"]
        },
        Trouble(name: "an endpoint that is no URL", needs: .s3, reason: .settings, says: "it must start with http:// or https://")
        { _ in
            ["AWS_ENDPOINT_URL_S3": "127.0.0.1:9000"]
        },
        Trouble(name: "a bucket that is not there", needs: .s3, reason: .refused, says: "no-such-bucket") { _ in
            ["S3FILE_BUCKET": "no-such-bucket"]
        },
        Trouble(name: "a bucket's name that is none", needs: .s3, reason: .settings, says: "S3FILE_BUCKET") { _ in
            ["S3FILE_BUCKET": "a/b"]
        },
        Trouble(name: "no bucket", needs: .s3, reason: .settings, says: "S3FILE_BUCKET is not set") { _ in ["S3FILE_BUCKET": nil]
        },
        Trouble(name: "a wrong access key", needs: .s3, reason: .refused, says: "Check") { _ in
            ["AWS_ACCESS_KEY_ID": "AKIANOBODY"]
        },
        Trouble(name: "a wrong secret key", needs: .s3, reason: .refused, says: "Check") { _ in
            ["AWS_SECRET_ACCESS_KEY": "secret-of-somebody-else"]
        },
        Trouble(name: "a wrong region", needs: .s3, reason: .refused, says: "us-east-1: set AWS_REGION") { _ in
            ["AWS_REGION": "eu-central-1"]
        },
        Trouble(name: "credentials that ended", needs: .s3, reason: .refused, says: "ended") { _ in
            [
                "AWS_ACCESS_KEY_ID": nil, "AWS_SECRET_ACCESS_KEY": nil, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_PROFILE": "ended",
                "AWS_CONFIG_FILE": Self.endedProfile, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            ]
        },
        Trouble(name: "no credentials", needs: .s3, reason: .refused, says: "credentials") { _ in
            [
                "AWS_ACCESS_KEY_ID": nil, "AWS_SECRET_ACCESS_KEY": nil, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            ]
        },
        Trouble(name: "a settings file that is no JSON", needs: [], reason: .settings, says: "cannot be read as JSON") { _ in
            ["S3FILE_CONFIG": "/etc/passwd"]
        },
        Trouble(name: "a settings file that is not there", needs: [], reason: .settings, says: "/no/such/file.json") { _ in
            ["S3FILE_CONFIG": "/no/such/file.json"]
        },
    ]

    /// A profile whose program gives credentials that are over.
    private static let endedProfile: String = {
        let folder = FileManager.default.temporaryDirectory.appending(path: "s3file-ended-\(UUID().uuidString)")
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let answer =
            #"{"Version": 1, "AccessKeyId": "AKIAENDED", "SecretAccessKey": "secret-that-ended", "SessionToken": "token-that-ended", "Expiration": "2020-01-01T00:00:00Z"}"#
        let document = folder.appending(path: "ended.json")
        try? Data(answer.utf8).write(to: document)
        let file = folder.appending(path: "config")
        try? Data("[profile ended]\ncredential_process = /bin/cat \(document.path)\nregion = us-east-1\n".utf8).write(to: file)
        return file.path
    }()

    /// All that the database and the store hold.
    private func contents(_ client: PostgresClient, _ server: TestDevServer) async throws -> String {
        let row = try await client.query(
            """
            select (select string_agg(to_jsonb(u)::text, e'\\n' order by u.id) from s3file.upload u) as uploads,
                   (select string_agg(to_jsonb(j)::text, e'\\n' order by j.upload_id) from s3file.job j) as jobs,
                   (select string_agg(to_jsonb(q)::text, e'\\n' order by q.name) from s3file.queue q) as queues,
                   (select count(*) from s3file.schema_migration) as migrations
            """
        )[0]
        let keys = try await TestStore.withClient(server.s3Configuration) { s3, _ in
            let cors = try await s3.bucketCORS(server.bucket).count
            let lifecycle = try await s3.bucketLifecycle(server.bucket).count
            return try await s3.listObjects(bucket: server.bucket).objects.map(\.key) + ["\(cors) \(lifecycle)"]
        }
        return try [
            row["uploads", String?.self] ?? "", row["jobs", String?.self] ?? "", row["queues", String?.self] ?? "",
            "\(row["migrations", Int64.self])",
        ].joined(separator: "\n") + keys.joined(separator: "\n")
    }

    @Test(arguments: troubles)
    func `each command says in one sentence what is wrong, and changes nothing`(trouble: Trouble) async throws {
        try await CommandLineRun.with { s3file, queue, server in
            _ = try await queue.enqueue([.example()])
            try await TestStore.withClient(server.s3Configuration) { s3, _ in
                _ = try await s3.putObject(bucket: server.bucket, key: "tmp/s3file/a/b", body: .init(string: "x"))
            }
            let before = try await self.contents(queue.client, server)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (arguments, needs) in Self.commands where needs.isSuperset(of: trouble.needs) {
                    // A worker waits for what may come back, and says so.
                    if needs.contains(.patient), trouble.reason == .unreachable { continue }
                    let settings = Self.service.merging(trouble.settings(s3file)) { $1 }
                    group.addTask {
                        let (text, code) = try await s3file.run(arguments, changing: settings)
                        let about: Comment = "\(arguments.joined(separator: " ")): \(code) \(text)"
                        #expect(code == trouble.reason.rawValue, about)
                        #expect(text.contains(trouble.says), about)
                        // What runs for long has a log beside its last sentence.
                        let lines = text.split(separator: "\n")
                        #expect(lines.count == 1 || needs.contains(.patient), about)
                        #expect(lines.last?.hasPrefix("Error: ") == true, about)
                        for secret in [
                            "hunter22", "secret-of-somebody-else", "secret-that-ended", "token-that-ended",
                            "s3file-dev-secret-key",
                        ] {
                            #expect(!text.contains(secret), about)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await self.contents(queue.client, server) == before)
        }
    }

    @Test func `a worker waits for a Postgres that is away, and says so`() async throws {
        try await CommandLineRun.with { s3file, _, _ in
            let settings = s3file.settings.merging(["DATABASE_URL": "postgresql://user:hunter22@127.0.0.1:9/database"]) { $1 }
            let (_, code) = try await Program.with("\(Program.folder)/s3file", ["worker"], environment: settings) { worker in
                let line = try await worker.line(containing: "trying again")
                #expect(!line.contains("hunter22"))
                worker.send(signal: SIGTERM)
                try await worker.end()
            }
            #expect(code == 0)
        }
    }

    @Test func `tables that are not there, or of a newer program, end each command that needs them`() async throws {
        try await withTestDatabase { client, url in
            try await TestDevServer.run { server in
                let run = CommandLineRun(url: url, server: server)
                func expect(_ reason: ExitReason, _ words: String) async throws {
                    for (arguments, needs) in Self.commands where needs.contains(.tables) {
                        let (text, code) = try await run.run(arguments)
                        let about: Comment = "\(arguments.joined(separator: " ")): \(code) \(text)"
                        #expect(code == reason.rawValue && text.contains(words), about)
                        #expect(text.split(separator: "\n").count == 1 || needs.contains(.patient), about)
                    }
                }
                try await expect(.tablesBehind, "run s3file migrate")
                let schemas = try await client.query("select count(*) as n from pg_namespace where nspname = 's3file'")[0]
                #expect(try schemas["n", Int64.self] == 0)
                #expect(try await run("migrate").code == 0)
                try await client.query(
                    "insert into s3file.schema_migration (version, name, checksum, breaking) values (9999, 'later', 'x', true)"
                )
                try await expect(.tablesAhead, "update this binary")
                for arguments in [["migrate"], ["migrate", "status"]] {
                    let (text, code) = try await run.run(arguments)
                    #expect(code == ExitReason.tablesAhead.rawValue, "\(arguments): \(text)")
                }
            }
        }
    }

    @Test func `an answer that cannot be written is a failure of its own`() async throws {
        try await CommandLineRun.with { s3file, queue, _ in
            let id = try await queue.enqueue([.example()])[0].id.uuidString
            for arguments in [
                ["list"], ["list", "--json"], ["status", id], ["queue"], ["migrate", "status"], ["config"], ["config", "--json"],
                ["check", "--no-write"], ["check", "--no-write", "--json"], ["bucket", "setup"],
            ] {
                let words = ["\(Program.folder)/s3file"] + arguments
                let (lines, code) = try await Program.output(
                    "sh",
                    ["-c", #"exec "$@" > /dev/full"#, "sh"] + words,
                    environment: s3file.settings
                )
                #expect(code == ExitReason.output.rawValue, "\(arguments): \(lines)")
                #expect(lines.count == 1 && lines[0].contains("No space left on device"), "\(arguments): \(lines)")
            }
            // Whoever reads no further is no failure to speak of.
            let (lines, _) = try await Program.output(
                "sh",
                ["-c", #""$@" | true"#, "sh", "\(Program.folder)/s3file", "config"],
                environment: s3file.settings
            )
            #expect(lines.isEmpty, "\(lines)")
        }
    }

    @Test func `an unknown command or option is a wrong command line`() async throws {
        for arguments in [
            ["frobnicate"], ["list", "--frobnicate"], ["list", "--status", "lost"], ["list", "--older-than", "soon"], ["cancel"],
        ] {
            let (_, code) = try await Program.output("\(Program.folder)/s3file", arguments)
            #expect(code == ExitReason.usage.rawValue, "\(arguments)")
        }
    }
}
