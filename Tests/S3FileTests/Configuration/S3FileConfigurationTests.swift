import Configuration
import Foundation
import Testing

@testable import S3File

@Suite struct S3FileConfigurationTests {
    private static let good = [
        "DATABASE_URL": "postgresql:///x", "S3FILE_BUCKET": "media", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
        "S3FILE_SECRET": "a-secret-of-at-least-thirty-two-bytes",
    ]

    private func read(_ changes: [String: String?] = [:]) throws -> S3FileConfiguration {
        let environment = Self.good.merging(changes.mapValues { $0 ?? "" }) { $1 }
        return try S3FileConfiguration(
            reader: ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment)),
            environment: environment
        )
    }

    @Test func `settings are read under the names that operators know`() throws {
        let configuration = try self.read([
            "AWS_ENDPOINT_URL": "http://general", "AWS_ENDPOINT_URL_S3": "http://s3", "S3FILE_LOCATION": "media",
            "S3FILE_TMP_PATH": "tmp",
            "S3FILE_SECRET": "first-secret-of-thirty-two-bytes!!, older-secret-of-thirty-two-bytes!!",
            "S3FILE_EXPIRY_HOURS": "48",
        ])
        #expect(configuration.endpointURL == "http://s3")
        #expect(configuration.tmpPrefix == "media/tmp")
        #expect(configuration.secrets == ["first-secret-of-thirty-two-bytes!!", "older-secret-of-thirty-two-bytes!!"])
        #expect(configuration.expiry == .seconds(48 * 3600))
        #expect(configuration.region == "us-east-1" && configuration.environment == .development)
    }

    @Test func `a file's numbers and lists count as the text that they would be in the environment`() throws {
        let file: [AbsoluteConfigKey: ConfigValue] = [
            "s3file.workerQueues": .init(.stringArray(["reports", "default"]), isSecret: false),
            "s3file.origins": .init(.stringArray(["https://a.example"]), isSecret: false),
            "s3file.workerConcurrency": .init(.int(5), isSecret: false),
            "s3file.ticketHours": .init(.double(1.5), isSecret: false),
            "s3file.expiryHours": .init(.int(48), isSecret: false),
        ]
        let configuration = try S3FileConfiguration(
            reader: ConfigReader(providers: [
                EnvironmentVariablesProvider(environmentVariables: Self.good), InMemoryProvider(values: file),
            ]),
            environment: Self.good
        )
        #expect(configuration.workerQueues == ["reports", "default"] && configuration.origins == ["https://a.example"])
        #expect(configuration.workerConcurrency == 5)
        #expect(configuration.ticketLifetime == .seconds(5_400) && configuration.expiry == .seconds(48 * 3_600))
    }

    @Test func `a worker's queues, where it listens, and how long records are kept are read`() throws {
        let usual = try self.read()
        #expect(usual.workerQueues == nil && usual.listenURL == nil)
        #expect(usual.retention == .init(stored: nil, unstored: .seconds(30 * 86_400), events: .seconds(3 * 86_400)))
        let configuration = try self.read([
            "S3FILE_WORKER_QUEUES": "default, thumbnails-2", "S3FILE_LISTEN_URL": "postgresql://direct/x",
            "S3FILE_RETENTION_STORED_DAYS": "365", "S3FILE_RETENTION_UNSTORED_DAYS": "0", "S3FILE_RETENTION_EVENT_DAYS": "0.5",
        ])
        #expect(configuration.workerQueues == ["default", "thumbnails-2"])
        #expect(configuration.listenURL == "postgresql://direct/x")
        #expect(configuration.retention == .init(stored: .seconds(365 * 86_400), unstored: nil, events: .seconds(43_200)))
    }

    @Test(
        arguments: [
            ("DATABASE_URL", nil), ("S3FILE_BUCKET", nil), ("AWS_ACCESS_KEY_ID", nil), ("AWS_SECRET_ACCESS_KEY", nil),
            ("S3FILE_ENVIRONMENT", "staging"),
            ("S3FILE_EXPIRY_HOURS", "soon"), ("S3FILE_EXPIRY_HOURS", "1"), ("S3FILE_TICKET_HOURS", "-1"),
            ("S3FILE_TMP_PATH", "/tmp/"),
            ("S3FILE_TMP_PATH", "../x"), ("S3FILE_LOCATION", "a//b"), ("S3FILE_WORKER_CONCURRENCY", "many"),
            ("S3FILE_WORKER_CONCURRENCY", "0"), ("S3FILE_WORKER_QUEUES", "default, a b"), ("S3FILE_WORKER_QUEUES", ","),
            ("S3FILE_RETENTION_STORED_DAYS", "some"), ("S3FILE_RETENTION_EVENT_DAYS", "-1"),
        ] as [(String, String?)]
    )
    func `a wrong setting is named`(name: String, value: String?) throws {
        let error = #expect(throws: ConfigurationError.self) { try self.read([name: value]) }
        #expect(error?.message.contains(name) == true, "\(error?.message ?? "")")
    }

    @Test func `what holds a configuration can be logged: no secret is in its text`() throws {
        struct Holder {
            var configuration: S3FileConfiguration
        }
        let (password, secret, django) = (
            "hush-of-the-database", "hush-of-the-tickets-of-32-bytes-at-least", "hush-of-a-django-app"
        )
        let holder = Holder(
            configuration: try self.read([
                "DATABASE_URL": "postgresql://app:\(password)@db/app", "S3FILE_SECRET": secret, "S3FILE_DJANGO_SECRET": django,
                "S3FILE_LISTEN_URL": "postgresql://app:\(password)@db/app", "AWS_SECRET_ACCESS_KEY": "hush-of-the-store",
            ])
        )
        var dumped = ""
        dump(holder, to: &dumped)
        for text in ["\(holder)", String(reflecting: holder), "\(holder.configuration)", dumped] {
            #expect(text.contains(holder.configuration.bucket) && !text.contains("hush"), "\(text)")
        }
    }

    @Test func `without keys the standard chain is asked, and the region may be the profile's`() throws {
        let keys = try self.read(["AWS_SESSION_TOKEN": "token"])
        #expect(
            keys.credentials == .keys(accessKeyID: "AKIAEXAMPLE", secretAccessKey: "x", sessionToken: "token")
        )
        for text in ["\(keys.credentials)", String(reflecting: keys.credentials)] {
            #expect(text.contains("AKIAEXAMPLE") && !text.contains("token"))
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "s3file-aws-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "config")
        try Data("[default]\nregion = eu-west-3\n".utf8).write(to: file)
        let chain: [String: String?] = ["AWS_ACCESS_KEY_ID": nil, "AWS_SECRET_ACCESS_KEY": nil, "AWS_CONFIG_FILE": file.path]
        let found = try self.read(chain)
        #expect(found.credentials == .standardChain && found.accessKeyID == nil)
        #expect(found.region == "eu-west-3")
        #expect(try self.read(chain.merging(["AWS_DEFAULT_REGION": "eu-west-1"]) { $1 }).region == "eu-west-1")
        #expect(try self.read(chain.merging(["AWS_REGION": "eu-west-2"]) { $1 }).region == "eu-west-2")
        try Data("[default\n".utf8).write(to: file)
        #expect(#expect(throws: ConfigurationError.self) { try self.read(chain) }?.message.contains(file.path) == true)
        // Keys that are found later cannot be the development server's.
        #expect(throws: ConfigurationError.self) {
            try self.read(chain.merging(["S3FILE_SECRET": nil, "AWS_CONFIG_FILE": nil]) { $1 }).refuseDevelopmentSettings()
        }
    }

    @Test func `a Django app's secret is not one that can be guessed, or that Django made for development`() throws {
        let insecure = "django-insecure-9s8df7g6h5j4k3l2"
        for changes in [
            ["S3FILE_DJANGO_SECRET": "short"], ["S3FILE_DJANGO_SECRET": "fifteen-bytes-x"],
            ["S3FILE_DJANGO_SECRET": insecure, "S3FILE_ENVIRONMENT": "production"],
        ] {
            let error = #expect(throws: ConfigurationError.self, "\(changes)") { try self.read(changes) }
            #expect(error?.message.contains("S3FILE_DJANGO_SECRET") == true)
        }
        #expect(throws: ConfigurationError.self) {
            try S3FileConfiguration(databaseURL: "postgresql:///x", bucket: "media", secrets: [], djangoSecret: "")
        }
        #expect(try self.read(["S3FILE_DJANGO_SECRET": insecure]).djangoSecret == insecure)
        #expect(try self.read(["S3FILE_DJANGO_SECRET": "sixteen-bytes-xy"]).djangoSecret == "sixteen-bytes-xy")
        #expect(try self.read(["S3FILE_DJANGO_SECRET": nil]).djangoSecret == nil)
    }

    @Test func `production needs a secret of its own`() throws {
        #expect(throws: ConfigurationError.self) {
            try SigningKeys(secrets: self.read(["S3FILE_SECRET": nil, "S3FILE_ENVIRONMENT": "production"]).secrets)
        }
        for changes in [
            ["S3FILE_ENVIRONMENT": "production", "S3FILE_SECRET": S3FileConfiguration.developmentSecret],
            ["S3FILE_ENVIRONMENT": "production", "S3FILE_SECRET": "s3file-dev-generated-on-somebodys-laptop"],
            ["S3FILE_ENVIRONMENT": "production", "AWS_ACCESS_KEY_ID": S3FileConfiguration.developmentAccessKeyID],
            // The secret that is printed in the source is good for the development server only.
            ["S3FILE_SECRET": nil],
        ] {
            #expect(throws: ConfigurationError.self, "\(changes)") { try self.read(changes).refuseDevelopmentSettings() }
        }
        try self.read(["S3FILE_SECRET": nil, "AWS_ACCESS_KEY_ID": S3FileConfiguration.developmentAccessKeyID])
            .refuseDevelopmentSettings()
        try self.read(["S3FILE_ENVIRONMENT": "production"]).refuseDevelopmentSettings()
    }
}
