import AsyncHTTPClient
import Foundation
import Logging
import NIOConcurrencyHelpers
import Postgres
import S3
import S3File
import TestEnvironment

/// All that a run needs, each a process of its own: Postgres, the store, the web process and the workers, with proxies between them.
struct World: Sendable {
    struct Settings: Sendable {
        var program: String?
        var workers: Int
        var copyTime: Int
        var skew: Int
        var keep: String?
        /// Without, nothing stands between processes, and what is put into the store is as old as it is.
        var hasFaults = true

        var s3file: String { self.program ?? "\(Program.folder)/s3file" }
    }

    /// A file system of the run's own, which can be full; `bin/prove` makes one where it may.
    static var disk: String? { ProcessInfo.processInfo.environment["S3FILE_PROVE_DISK"] }

    static let apiKey = "key-of-the-proof-0123456789abcdefghij"
    static let field = "file"

    let settings: Settings
    let cluster: TestCluster
    let folder: URL
    /// Straight to Postgres and to the store: for the eyes of the run, and for browsers and apps.
    let postgres: PostgresClient
    let s3: S3Client
    let http: HTTPClient
    let endpoint: String
    let journal: String
    let web: Slot
    let webAddress: String
    let workers: [Slot]
    private let noise = NIOLockedValueBox<[String]>([])

    /// What went wrong for clients, with the moment.
    func heard(_ what: String) {
        self.noise.withLockedValue { $0.append("\(Date().timeIntervalSince1970) \(what)") }
    }

    static func with<R: Sendable>(_ settings: Settings, _ body: @Sendable (World) async throws -> R) async throws -> R {
        try await withTemporaryFolder { folder in
            let lines = ["max_connections = 300", "track_commit_timestamp = on"]
            return try await TestCluster.with(settings: lines, in: Self.disk) { cluster in
                // The journal is a witness, whom a full disk must not silence.
                let journal = folder.path + "/journal"
                let arguments =
                    ["store", "--directory", (Self.disk ?? folder.path) + "/store", "--journal", journal]
                    + (settings.hasFaults ? [] : ["--young"])
                return try await Program.with(CommandLine.arguments[0], arguments) { store in
                    let line = try await store.line(containing: StoreCommand.address)
                    let endpoint = String(line.dropFirst(StoreCommand.address.count))
                    return try await Self.with(settings, cluster, folder, endpoint, journal, body)
                }.result
            }
        }
    }

    private static func with<R: Sendable>(
        _ settings: Settings,
        _ cluster: TestCluster,
        _ folder: URL,
        _ endpoint: String,
        _ journal: String,
        _ body: @Sendable (World) async throws -> R
    ) async throws -> R {
        try Data(#"{"fields": [{"name": "\#(Self.field)", "uploadTo": "stored/", "maximumSize": "1 GB"}]}"#.utf8)
            .write(to: folder.appending(path: "fields.json"))
        let migrated = try await Program.output(settings.s3file, ["migrate", "up"], environment: ["DATABASE_URL": cluster.url])
        guard migrated.exitCode == 0 else { throw ProgramError(description: migrated.lines.joined(separator: "\n")) }
        let credentials = S3Credentials(
            accessKeyID: S3FileConfiguration.developmentAccessKeyID,
            secretAccessKey: S3FileConfiguration.developmentSecretAccessKey
        )
        let s3Configuration = S3Configuration(
            endpoint: endpoint,
            region: "us-east-1",
            credentials: StaticCredentials(credentials)
        )
        var postgresConfiguration = PostgresConfiguration(url: cluster.url, applicationName: "prove")
        postgresConfiguration.maximumConnections = 40
        let postgres = PostgresClient(configuration: postgresConfiguration, logger: .quiet)
        return try await TestStore.withClient(s3Configuration) { s3, http in
            try await postgres.whileRunning {
                try await Self.withSlots(settings, cluster, endpoint, folder) { web, webAddress, workers in
                    try await body(
                        World(
                            settings: settings,
                            cluster: cluster,
                            folder: folder,
                            postgres: postgres,
                            s3: s3,
                            http: http,
                            endpoint: endpoint,
                            journal: journal,
                            web: web,
                            webAddress: webAddress,
                            workers: workers
                        )
                    )
                }
            }
        }
    }

    // MARK: Processes

    private static func withSlots<R: Sendable>(
        _ settings: Settings,
        _ cluster: TestCluster,
        _ endpoint: String,
        _ folder: URL,
        _ body: (Slot, _ webAddress: String, [Slot]) async throws -> R
    ) async throws -> R {
        let port = try unusedPort()
        return try await Self.withProxies(settings.workers + 1, cluster.url, endpoint, []) { proxies in
            var environment = Self.environment(proxies[0].postgres, proxies[0].store)
            environment["S3FILE_PUBLIC_ENDPOINT_URL"] = endpoint
            environment["S3FILE_API_KEYS"] = Self.apiKey
            environment["S3FILE_FIELDS"] = folder.appending(path: "fields.json").path
            let direct: [String: String?] =
                settings.hasFaults ? [:] : ["DATABASE_URL": cluster.url, "AWS_ENDPOINT_URL_S3": endpoint]
            environment.merge(direct) { $1 }
            let web = Slot(
                name: "web",
                command: [settings.s3file, "serve", "--port", "\(port)"],
                environment: environment,
                postgres: proxies[0].postgres,
                store: proxies[0].store
            )
            let workers = try (1...settings.workers).map { number in
                let proxy = proxies[number]
                return Slot(
                    name: "worker \(number)",
                    command: try Self.skewed(settings, number) + [settings.s3file, "worker"],
                    environment: Self.environment(proxy.postgres, proxy.store).merging(direct) { $1 },
                    postgres: proxy.postgres,
                    store: proxy.store
                )
            }
            return try await withThrowingTaskGroup(of: Void.self) { group in
                for slot in [web] + workers { group.addTask { try await slot.run() } }
                let result: Result<R, any Error>
                do { result = .success(try await body(web, "http://127.0.0.1:\(port)", workers)) } catch {
                    result = .failure(error)
                }
                group.cancelAll()
                for slot in [web] + workers { slot.send(SIGCONT) }
                try await group.waitForAll()
                return try result.get()
            }
        }
    }

    /// What gives a worker a wrong clock. What it measures durations by stays right, as it does on such a machine.
    private static func skewed(_ settings: Settings, _ number: Int) throws -> [String] {
        guard settings.skew != 0 else { return [] }
        let seconds = number.isMultiple(of: 2) ? -settings.skew : settings.skew
        let root = "/usr/lib"
        let library = try FileManager.default.contentsOfDirectory(atPath: root)
            .map { "\(root)/\($0)/faketime/libfaketime.so.1" }.first { FileManager.default.fileExists(atPath: $0) }
        guard let library else { throw ProgramError(description: "Install the package faketime, or leave out --skew") }
        // By env, which becomes what it starts: a signal reaches it. The library makes itself at home in a first program and changes its environment,
        // after which a program in Swift does not find its arguments any more: so that is an env as well.
        return [
            "env", "LD_PRELOAD=\(library)", "FAKETIME=\(seconds < 0 ? "" : "+")\(seconds)s", "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "env",
        ]
    }

    private static func withProxies<R: Sendable>(
        _ count: Int,
        _ postgres: String,
        _ store: String,
        _ made: [(postgres: FaultProxy, store: FaultProxy)],
        _ body: ([(postgres: FaultProxy, store: FaultProxy)]) async throws -> R
    ) async throws -> R {
        guard made.count < count else { return try await body(made) }
        return try await withFaultProxy(to: postgres) { toPostgres in
            try await withFaultProxy(to: store) { toStore in
                try await Self.withProxies(count, postgres, store, made + [(toPostgres, toStore)], body)
            }
        }
    }

    static func environment(_ postgres: FaultProxy, _ store: FaultProxy) -> [String: String?] {
        [
            "DATABASE_URL": postgres.url, "AWS_ENDPOINT_URL_S3": store.url,
            "AWS_ACCESS_KEY_ID": S3FileConfiguration.developmentAccessKeyID,
            "AWS_SECRET_ACCESS_KEY": S3FileConfiguration.developmentSecretAccessKey, "AWS_REGION": "us-east-1",
            "S3FILE_BUCKET": StoreCommand.bucket, "S3FILE_SECRET": "a secret of the proof that is long enough to sign",
            "S3FILE_WORKER_CONCURRENCY": "8", "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil,
            "AWS_SESSION_TOKEN": nil, "S3FILE_PUBLIC_ENDPOINT_URL": nil, "S3FILE_TMP_BUCKET": nil, "S3FILE_LOCATION": nil,
            "S3FILE_HOST": nil, "S3FILE_PORT": nil, "S3FILE_SOCKET": nil, "S3FILE_API_KEYS": nil, "S3FILE_FIELDS": nil,
            "S3FILE_LISTEN_URL": nil, "LOG_LEVEL": nil,
        ]
    }

    /// Whatever the processes have said, and what the store has done.
    func keep() throws {
        guard let path = self.settings.keep else { return }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for slot in [self.web] + self.workers {
            let name = slot.name.replacing(" ", with: "-")
            try Data(slot.output.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(path)/\(name).log"))
        }
        try Data(self.noise.withLockedValue { $0 }.joined(separator: "\n").utf8).write(
            to: URL(fileURLWithPath: "\(path)/clients.log")
        )
        try Data(contentsOf: URL(fileURLWithPath: self.journal)).write(to: URL(fileURLWithPath: "\(path)/journal.jsonl"))
        try Data(self.cluster.log().utf8).write(to: URL(fileURLWithPath: "\(path)/postgres.log"))
    }
}
