import CoreMetrics
import Logging
import Postgres
import S3DevServer
import S3File
import S3FileWorker
import ServiceLifecycle

/// What stands on the database: the tables, the S3 server, the worker and the command; ended in the opposite order.
final class DevelopmentApp: Service {
    private let settings: DevelopmentSettings
    private let cluster: PrivateCluster?
    private let directory: DevelopmentDirectory
    private let port: LoopbackPort?
    private let s3Port: LoopbackPort?
    private let s3Faults: [FaultRule]?
    private let hasWorker: Bool
    private let child: ChildProcess?
    private let logger: Logger

    init(
        command: [String],
        settings: DevelopmentSettings,
        cluster: PrivateCluster?,
        directory: DevelopmentDirectory,
        port: LoopbackPort?,
        s3Port: LoopbackPort?,
        s3Faults: [FaultRule]? = nil,
        hasWorker: Bool,
        logger: Logger
    ) {
        self.settings = settings
        self.cluster = cluster
        self.directory = directory
        self.port = port
        self.s3Port = s3Port
        self.s3Faults = s3Faults
        self.hasWorker = hasWorker
        self.child = command.isEmpty ? nil : ChildProcess(command: command, environment: settings.changes, after: s3Port)
        self.logger = logger
    }

    /// The command's, once it has ended by itself.
    var exitCode: Int32? { self.child?.exitCode }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await self.cluster?.ready()
                try await self.migrate()
            }
        } catch is CancellationError {
            return
        }
        guard !Task.isShuttingDownGracefully else { return }
        let configuration = try self.settings.configuration()
        var services: [any Service] = []
        if let s3Port {
            services.append(
                try S3DevServer(configuration: self.s3Configuration(port: s3Port, of: configuration), logger: self.logger)
            )
        }
        if self.hasWorker {
            if let health = try self.settings.health() {
                let metrics = MetricsSystem.beginCounting()
                let pool = try WorkerPool(configuration: configuration, logger: self.logger)
                services += [HealthListener(health, [pool], metrics: metrics, logger: self.logger), pool]
            } else {
                services.append(try WorkerPool(configuration: configuration, logger: self.logger))
            }
        }
        services.append(Announcement(settings: self.settings, app: self.port, s3: self.s3Port))
        if let child {
            services.append(child)
        }
        try await ServiceGroup(
            configuration: .init(services: services.map(Self.endingAll), logger: self.logger)
        ).run()
    }

    /// A service whose end, however it comes, is everybody's, in order.
    static func endingAll(_ service: any Service) -> ServiceGroupConfiguration.ServiceConfiguration {
        .init(
            service: service,
            successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup
        )
    }

    private func migrate() async throws {
        guard let url = self.settings.environment["DATABASE_URL"] else { return }
        try await Database.with(url, logger: self.logger) { client in
            _ = try await Migrator.uploads(client).apply(logger: self.logger)
        }
    }

    private func s3Configuration(port: LoopbackPort, of configuration: S3FileConfiguration) -> S3DevServerConfiguration {
        S3DevServerConfiguration(
            directory: self.directory.path + "/s3",
            port: port.number,
            accessKeyID: S3FileConfiguration.developmentAccessKeyID,
            secretAccessKey: S3FileConfiguration.developmentSecretAccessKey,
            region: configuration.region,
            buckets: Array(Set([configuration.bucket, configuration.tmpBucket])),
            faultRules: self.s3Faults
        )
    }
}
