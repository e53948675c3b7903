import Foundation
import NIOCore
import Postgres
import S3
import S3DevServer
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileCommand

/// `s3file check`: what is wrong is found, by its id; what is right is not; and nothing is left behind.
@Suite(.timeLimit(.minutes(4))) struct CheckCommandTests {
    private static let origin = "https://app.example.com"
    private static let secret = "Zq3vJ8sKdP1xWm5nRt7yUb2cVf4gHh6j"

    /// An installation in which there is nothing to find: a role of its own, rules in the bucket, and a secret.
    private func withGoodInstallation<R: Sendable>(
        on store: KnownStore = .devServer,
        _ body: (CommandLineRun, StoreBucket) async throws -> R
    ) async throws -> R {
        try await withMigratedDatabase { _, url in
            try await store.withBucket { here in
                var run = CommandLineRun(
                    url: url + (url.contains("?") ? "&" : "?") + "options=-c%20role%3Ds3file_web",
                    endpoint: here.endpoint,
                    accessKeyID: here.credentials.accessKeyID,
                    secretAccessKey: here.credentials.secretAccessKey,
                    bucket: here.name
                )
                run.settings["S3FILE_SECRET"] = Self.secret
                run.settings["S3FILE_ORIGINS"] = Self.origin
                let setup = try await run("bucket", "setup", "--yes")
                #expect(setup.code == 0 || store == .ministack, "\(store): \(setup.text)")
                return try await body(run, here)
            }
        }
    }

    private func ids(_ text: String) -> Set<String> { Set(text.matches(of: /s3file\.[EW]\d{3}/).map { String($0.0) }) }

    private func keys(_ here: StoreBucket) async throws -> [String] {
        try await here.client.listObjects(bucket: here.name).objects.map(\.key)
    }

    // MARK: What is found

    @Test(arguments: KnownStore.available)
    func `a good installation is found good on each store, but for what the store cannot do`(store: KnownStore) async throws {
        try await self.withGoodInstallation(on: store) { s3file, here in
            let good = try await s3file("check")
            let expected: Set<String> = here.traits.capabilities.copySourceIfMatch ? [] : ["s3file.W014"]
            #expect(self.ids(good.text) == expected, "\(good.text)")
            #expect(good.code == (expected.isEmpty ? 0 : 5))
            #expect(expected.isEmpty == good.text.contains("No problems found."))
            #expect(try await self.keys(here).isEmpty)
            let lenient = try await s3file("check", "--fail-level", "error")
            #expect(lenient.code == 0)
        }
    }

    /// What is changed in a good installation, and what must be found then.
    struct Fault: Sendable, CustomTestStringConvertible {
        var id: FindingID
        var arguments: [String] = []
        var settings: [String: String?] = [:]
        var bucket: @Sendable (StoreBucket) async throws -> Void = { _ in }

        var testDescription: String { self.id.rawValue }
    }

    static let faults: [Fault] = [
        Fault(id: .devServer, arguments: ["--deploy"]),
        Fault(id: .plainS3, arguments: ["--deploy"]),
        Fault(id: .defaultSecret, arguments: ["--deploy"], settings: ["S3FILE_SECRET": nil]),
        Fault(id: .developmentEnvironment, arguments: ["--deploy"]),
        Fault(id: .database, settings: ["DATABASE_URL": "postgresql://nobody:x@127.0.0.1:9/none?connect_timeout=1"]),
        Fault(id: .bucket, settings: ["S3FILE_BUCKET": "no-such-bucket"]),
        Fault(
            id: .noCredentials,
            settings: ["AWS_ACCESS_KEY_ID": nil, "AWS_SECRET_ACCESS_KEY": nil, "AWS_EC2_METADATA_DISABLED": "true"]
        ),
        Fault(id: .shortSecret, settings: ["S3FILE_SECRET": "short"]),
        Fault(id: .weakSecret, settings: ["S3FILE_SECRET": String(repeating: "ab", count: 16)]),
        Fault(id: .weakSecret, settings: ["S3FILE_SECRET": "\(secret),\(secret)"]),
        Fault(id: .lifetimes, settings: ["S3FILE_POLICY_MINUTES": "1440"]),
        Fault(id: .noOrigins, settings: ["S3FILE_ORIGINS": nil]),
        Fault(id: .originRefused, arguments: ["--origin", "https://other.example.com"]),
        Fault(
            id: .partsRefused,
            bucket: { here in
                let rule = S3CORSRule(allowedOrigins: [origin], allowedMethods: ["POST"])
                try await here.client.putBucketCORS(here.name, rules: [rule])
            }
        ),
        Fault(
            id: .anyOrigin,
            bucket: { here in
                let rule = S3CORSRule(allowedOrigins: ["*"], allowedMethods: ["POST", "PUT"])
                try await here.client.putBucketCORS(here.name, rules: [rule])
            }
        ),
        Fault(id: .expiresTooEarly, bucket: { try await $0.expire("tmp/s3file/", afterDays: 2) }),
        Fault(id: .expiresStored, bucket: { try await $0.expire("", afterDays: 90) }),
        Fault(id: .noExpiry, bucket: { try await $0.expire("other/", afterDays: 90) }),
        Fault(id: .noAbort, bucket: { try await $0.expire("tmp/s3file/", afterDays: 90) }),
        Fault(
            id: .versionsStay,
            bucket: { here in
                try await here.client.putBucketVersioning(here.name, isEnabled: true)
            }
        ),
        Fault(
            id: .publicBucket,
            bucket: { here in
                let statement =
                    #"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}"#
                try await here.client.putBucketPolicy(here.name, json: "{\"Statement\": [\(statement)]}")
            }
        ),
    ]

    @Test(arguments: faults)
    func `what is wrong is found by its id, with why it matters and what mends it`(fault: Fault) async throws {
        try await self.withGoodInstallation { s3file, here in
            try await fault.bucket(here)
            let bad = try await s3file.run(["check", "--json"] + fault.arguments, changing: fault.settings)
            #expect(bad.text.contains(#""id":"\#(fault.id.rawValue)""#), "\(bad.text)")
            #expect(bad.code == (bad.text.contains(#""level":"error""#) ? 2 : 5))
            for part in ["what", "why", "remedy"] { #expect(!bad.text.contains(#""\#(part)":"""#)) }
            for secret in [Self.secret, here.credentials.secretAccessKey] { #expect(!bad.text.contains(secret)) }
            #expect(try await self.keys(here).isEmpty)
        }
    }

    @Test func `the development server is known under other keys, too, for it says what it is`() async throws {
        try await TestDevServer.run(configure: { $0.accessKeyID = "AKIAEXAMPLE" }) { server in
            let run = CommandLineRun(url: "postgresql://nobody@127.0.0.1:9/none", server: server)
            let found = try await run("check", "--deploy", "--no-write")
            #expect(self.ids(found.text).isSuperset(of: ["s3file.E001", "s3file.E002", "s3file.E003", "s3file.E004"]))
        }
    }

    @Test func `tables that are missing, or of another program, are found`() async throws {
        try await withTestDatabase { client, url in
            try await TestDevServer.run { server in
                let run = CommandLineRun(url: url, server: server)
                let missing = try await run("check", "--no-write")
                #expect(missing.code == 2)
                #expect(
                    missing.text.contains(/s3file.E005: \d+ migrations? (is|are) missing\.\n +Why: .+\n +Mend: s3file migrate/)
                )
                #expect(try await run("migrate").code == 0)
                try await client.query(
                    "insert into s3file.schema_migration (version, name, checksum, breaking) values (9999, 'later', 'x', true)"
                )
                let newer = try await run("check", "--no-write")
                #expect(newer.text.contains("s3file.E007: ") && newer.text.contains("9999"))
            }
        }
    }

    @Test func `roles that may too much or too little are found`() async throws {
        try await self.withGoodInstallation { s3file, _ in
            let url = try #require(s3file.settings["DATABASE_URL"] ?? nil)
            func check(_ role: String) async throws -> Set<String> {
                let changed = url.replacing("s3file_web", with: role)
                return self.ids(try await s3file("check", "--no-write", changing: ["DATABASE_URL": changed]).text)
            }
            #expect(try await check("s3file_worker").isEmpty)
            #expect(try await check("postgres") == ["s3file.W001"])
            #expect(try await check("pg_monitor") == ["s3file.E009"])
        }
    }

    @Test func `LISTEN through a pooler of transactions is found deaf, and the way past it good`() async throws {
        try await withMigratedDatabase { _, url in
            try await Pgbouncer.with(to: url) { pooled in
                try await TestDevServer.run { server in
                    let run = CommandLineRun(url: pooled, server: server)
                    let deaf = try await run("check", "--no-write")
                    #expect(self.ids(deaf.text).contains("s3file.W004"), "\(deaf.text)")
                    let past = try await run("check", "--no-write", changing: ["S3FILE_LISTEN_URL": url])
                    #expect(!self.ids(past.text).contains("s3file.W004"), "\(past.text)")
                }
            }
        }
    }

    // MARK: What is left

    @Test func `a check that is interrupted leaves nothing behind`() async throws {
        try await withMigratedDatabase { _, url in
            try await TestDevServer.run(configure: { $0.faults = Faults(latency: { _ in .milliseconds(150) }) }) { server in
                let run = CommandLineRun(url: url, server: server)
                try await TestStore.withClient(server.s3Configuration) { client, _ in
                    let (_, code) = try await Program.with("\(Program.folder)/s3file", ["check"], environment: run.settings) {
                        check in
                        try await eventually("it has written") {
                            let page = try await client.listObjects(bucket: server.bucket, prefix: "tmp/s3file/.check/")
                            return !page.objects.isEmpty
                        }
                        check.send(signal: SIGTERM)
                        try await check.end()
                    }
                    #expect(code == 143)
                    let left = try await client.listObjects(bucket: server.bucket).objects
                    #expect(left.isEmpty)
                }
            }
        }
    }

    @Test(arguments: KnownStore.available)
    func `what a killed check left is removed by the next, and what another is at is not`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let dead = CheckObjects(client: here.client, bucket: here.name, prefix: "tmp/s3file")
            _ = try await here.client.putObject(bucket: here.name, key: dead.key("rights"), body: ByteBuffer(string: "x"))
            _ = try await here.client.createMultipartUpload(bucket: here.name, key: dead.key("parts"))
            _ = try await here.client.putObject(bucket: here.name, key: "tmp/s3file/a/b", body: ByteBuffer(string: "x"))
            func sweep(_ limit: TimeInterval) async throws {
                try await CheckObjects.sweep(
                    client: here.client,
                    bucket: here.name,
                    prefix: "tmp/s3file",
                    olderThan: Date(timeIntervalSinceNow: limit)
                )
            }
            try await sweep(-600)
            #expect(try await self.keys(here).count == 2)
            try await sweep(60)
            #expect(try await self.keys(here) == ["tmp/s3file/a/b"])
            #expect(try await here.client.listMultipartUploads(bucket: here.name).uploads.isEmpty)
        }
    }

    @Test func `with --no-write nothing is written`() async throws {
        try await self.withGoodInstallation { s3file, _ in
            let reading = try await s3file("check", "--no-write", "--json")
            #expect(reading.code == 0 && reading.text.contains(#""written":0"#), "\(reading.text)")
        }
    }

    @Test func `each id has a line in the documentation, and each exit code one in the README`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
        func text(_ path: String) throws -> String { try String(contentsOf: root.appending(path: path), encoding: .utf8) }
        let checks = try text("Sources/S3FileCommand/S3FileCommand.docc/Checks.md")
        for id in FindingID.allCases {
            let line = "| `\(id.rawValue)` | \(id.title) | \(id.why) |"
            #expect(checks.contains(line), "\(line)")
        }
        #expect(Set(FindingID.allCases.map(\.title)).count == FindingID.allCases.count)
        let readme = try text("README.md")
        for reason in ExitReason.allCases {
            let line = "| \(reason.rawValue) | \(reason.meaning) |"
            #expect(readme.contains(line), "\(line)")
        }
    }
}

extension StoreBucket {
    /// Somebody else's rule, in place of all others.
    fileprivate func expire(_ prefix: String, afterDays days: Int) async throws {
        let rule = S3LifecycleRule(id: "theirs", prefix: prefix, expirationDays: days)
        try await self.client.putBucketLifecycle(self.name, rules: [rule.element])
    }
}
