import Foundation
import Logging
import ServiceLifecycle

/// What stands on the database: the tables, the S3 server, the worker and the command; ended in the opposite order.
final class DevelopmentApp: Service {
    private let settings: DevelopmentSettings
    private let cluster: PrivateCluster?
    private let directory: DevelopmentDirectory
    private let port: LoopbackPort?
    private let s3Port: LoopbackPort?
    private let hasWorker: Bool
    private let child: ChildProcess?
    private let logger: Logger

    init(
        command: [String], settings: DevelopmentSettings, cluster: PrivateCluster?, directory: DevelopmentDirectory,
        port: LoopbackPort?, s3Port: LoopbackPort?, hasWorker: Bool, logger: Logger
    ) {
        self.settings = settings
        self.cluster = cluster
        self.directory = directory
        self.port = port
        self.s3Port = s3Port
        self.hasWorker = hasWorker
        self.child = command.isEmpty ? nil : ChildProcess(command: command, environment: settings.changes)
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
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let port {
            services.append(Self.endingAll(Announcement(port: port)))
        }
        if let child {
            services.append(Self.endingAll(child))
        }
        try await ServiceGroup(configuration: .init(services: services, logger: self.logger)).run()
    }

    /// A service whose end, however it comes, is everybody's, in order.
    static func endingAll(_ service: any Service) -> ServiceGroupConfiguration.ServiceConfiguration {
        .init(
            service: service, successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup
        )
    }

    private func migrate() async throws {
    }
}
