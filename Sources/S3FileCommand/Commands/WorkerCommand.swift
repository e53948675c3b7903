import ArgumentParser
import Configuration
import CoreMetrics
import S3File
import S3FileWorker
import ServiceLifecycle
import UnixSignals

/// `s3file worker`: drains the upload table until SIGTERM.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Move verified uploads to their place, until SIGTERM.",
        discussion: """
            Run as many as you like, on as many machines as you like. On SIGTERM or Ctrl-C no new upload is begun; those in flight get 20 \
            seconds, and what is left goes back to the queue without costing an attempt.
            """
    )

    @Option(help: "Names of the queues to serve, by comma (S3FILE_WORKER_QUEUES); all unless it is set.")
    var queues: String?

    @OptionGroup var health: HealthOptions

    @OptionGroup var settings: SettingsOptions

    func run() async throws {
        let reader = try await self.settings.reader(flags: [("s3file.workerQueues", self.queues)] + self.health.flags)
        let configuration = try S3FileConfiguration(reader: reader)
        try SettingsCheck.refuseDevelopment(configuration)
        let logger = try self.settings.logger(reader: reader)
        var services: [any Service] = []
        if let health = try HealthSettings(reader: reader) {
            let metrics = MetricsSystem.beginCounting()
            let pool = try WorkerPool(configuration: configuration, logger: logger)
            services = [HealthListener(health, [pool], metrics: metrics, logger: logger), pool]
        } else {
            services = [try WorkerPool(configuration: configuration, logger: logger)]
        }
        var group = ServiceGroupConfiguration(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: group).run()
    }
}
