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
        var isCeph: Bool
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
    let replicas: Replicas
    let store: any Store
    let folder: URL
    /// Straight to Postgres and to the store: for the eyes of the run, and for browsers and apps.
    let postgres: PostgresClient
    let s3: S3Client
    let http: HTTPClient
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
            try await Replicas.with(in: Self.disk) { replicas in
                if settings.isCeph {
                    return try await CephStore.with(folder.path) { try await Self.with(settings, replicas, folder, $0, body) }
                }
                let data = (Self.disk ?? folder.path) + "/store"
                return try await DevelopmentStore.with(data, folder.path + "/journals", isYoung: !settings.hasFaults) {
                    try await Self.with(settings, replicas, folder, $0, body)
                }
            }
        }
    }

    private static func with<R: Sendable>(
        _ settings: Settings,
        _ replicas: Replicas,
        _ folder: URL,
        _ store: any Store,
        _ body: @Sendable (World) async throws -> R
    ) async throws -> R {
        try Data(#"{"fields": [{"name": "\#(Self.field)", "uploadTo": "stored/", "maximumSize": "1 GB"}]}"#.utf8)
            .write(to: folder.appending(path: "fields.json"))
        let migrated = try await Program.output(
            settings.s3file,
            ["migrate", "up"],
            environment: ["DATABASE_URL": replicas.primary.url]
        )
        guard migrated.exitCode == 0 else { throw ProgramError(description: migrated.lines.joined(separator: "\n")) }
        let s3Configuration = S3Configuration(
            endpoint: store.endpoint,
            region: "us-east-1",
            credentials: StaticCredentials(store.credentials)
        )
        var postgresConfiguration = PostgresConfiguration(url: replicas.url, applicationName: "prove")
        postgresConfiguration.maximumConnections = 40
        let postgres = PostgresClient(configuration: postgresConfiguration, logger: .quiet)
        return try await TestStore.withClient(s3Configuration) { s3, http in
            if !store.isDevelopment { try await s3.createBucket(StoreCommand.bucket) }
            return try await postgres.whileRunning {
                try await Self.withSlots(settings, replicas.primary.url, store, folder) { web, webAddress, workers in
                    let world = World(
                        settings: settings,
                        replicas: replicas,
                        store: store,
                        folder: folder,
                        postgres: postgres,
                        s3: s3,
                        http: http,
                        web: web,
                        webAddress: webAddress,
                        workers: workers
                    )
                    let result: Result<R, any Error>
                    do { result = .success(try await body(world)) } catch { result = .failure(error) }
                    try world.keep()
                    return try result.get()
                }
            }
        }
    }

    // MARK: Processes

    private static func withSlots<R: Sendable>(
        _ settings: Settings,
        _ postgres: String,
        _ store: any Store,
        _ folder: URL,
        _ body: (Slot, _ webAddress: String, [Slot]) async throws -> R
    ) async throws -> R {
        let port = try unusedPort()
        return try await Self.withProxies(settings.workers + 1, postgres, store.endpoint, []) { proxies in
            var environment = Self.environment(proxies[0].postgres, proxies[0].store, store.credentials)
            environment["S3FILE_PUBLIC_ENDPOINT_URL"] = store.endpoint
            environment["S3FILE_API_KEYS"] = Self.apiKey
            environment["S3FILE_FIELDS"] = folder.appending(path: "fields.json").path
            let direct: [String: String?] =
                settings.hasFaults ? [:] : ["DATABASE_URL": postgres, "AWS_ENDPOINT_URL_S3": store.endpoint]
            environment.merge(direct) { $1 }
            let webClock = settings.hasFaults ? try Clock(file: folder.appending(path: "clock-web").path, skew: 0) : nil
            let web = Slot(
                name: "web",
                process: Respawned(
                    command: (webClock?.words ?? []) + [settings.s3file, "serve", "--port", "\(port)"],
                    environment: environment
                ),
                postgres: proxies[0].postgres,
                store: proxies[0].store,
                clock: webClock
            )
            let workers = try (1...settings.workers).map { number in
                let proxy = proxies[number]
                let clock =
                    settings.hasFaults
                    ? try Clock(
                        file: folder.appending(path: "clock-\(number)").path,
                        // Every other one is wrong the other way.
                        skew: number.isMultiple(of: 2) ? -settings.skew : settings.skew
                    ) : nil
                guard clock != nil || settings.skew == 0 else {
                    throw ProgramError(description: "Install the package faketime, or leave out --skew")
                }
                return Slot(
                    name: "worker \(number)",
                    process: Respawned(
                        command: (clock?.words ?? []) + [settings.s3file, "worker"],
                        environment: Self.environment(proxy.postgres, proxy.store, store.credentials).merging(direct) { $1 }
                    ),
                    postgres: proxy.postgres,
                    store: proxy.store,
                    clock: clock
                )
            }
            return try await Respawned.whileRunning(([web] + workers).map(\.process)) {
                try await body(web, "http://127.0.0.1:\(port)", workers)
            }
        }
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

    private static func environment(
        _ postgres: FaultProxy,
        _ store: FaultProxy,
        _ credentials: S3Credentials
    ) -> [String: String?] {
        [
            "DATABASE_URL": postgres.url, "AWS_ENDPOINT_URL_S3": store.url, "AWS_ACCESS_KEY_ID": credentials.accessKeyID,
            "AWS_SECRET_ACCESS_KEY": credentials.secretAccessKey, "AWS_REGION": "us-east-1",
            "S3FILE_BUCKET": StoreCommand.bucket, "S3FILE_SECRET": "a secret of the proof that is long enough to sign",
            "S3FILE_WORKER_CONCURRENCY": "8", "S3FILE_ENVIRONMENT": nil, "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil,
            "AWS_SESSION_TOKEN": nil, "S3FILE_PUBLIC_ENDPOINT_URL": nil, "S3FILE_TMP_BUCKET": nil, "S3FILE_LOCATION": nil,
            "S3FILE_HOST": nil, "S3FILE_PORT": nil, "S3FILE_SOCKET": nil, "S3FILE_API_KEYS": nil, "S3FILE_FIELDS": nil,
            "S3FILE_LISTEN_URL": nil, "LOG_LEVEL": nil,
        ]
    }

    /// `s3file sweep`, beside a worker and by the same ways.
    func sweep() async throws -> (lines: [String], exitCode: Int32) {
        let slot = self.workers[0]
        let environment = Self.environment(slot.postgres, slot.store, self.store.credentials)
        return try await Program.output(self.settings.s3file, ["sweep"], environment: environment)
    }

    /// Whatever the processes have said, and what the store has done.
    private func keep() throws {
        guard let path = self.settings.keep else { return }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for slot in [self.web] + self.workers {
            let name = slot.name.replacing(" ", with: "-")
            try Data(slot.process.output.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(path)/\(name).log"))
        }
        try Data(self.noise.withLockedValue { $0 }.joined(separator: "\n").utf8).write(
            to: URL(fileURLWithPath: "\(path)/clients.log")
        )
        let encoder = JSONEncoder()
        let journal = try self.store.journal().map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        try Data(journal.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(path)/journal.jsonl"))
        try Data(self.store.log().utf8).write(to: URL(fileURLWithPath: "\(path)/store.log"))
        try Data(self.replicas.log().utf8).write(to: URL(fileURLWithPath: "\(path)/postgres.log"))
    }
}
