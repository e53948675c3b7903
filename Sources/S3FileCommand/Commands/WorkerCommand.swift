import ArgumentParser
import Configuration
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

    @OptionGroup var settings: SettingsOptions

    func run() async throws {
        let configuration = try await self.settings.configuration(flags: [("s3file.workerQueues", self.queues)])
        try SettingsCheck.refuseDevelopment(configuration)
        let logger = self.settings.logger
        var group = ServiceGroupConfiguration(
            services: [try WorkerPool(configuration: configuration, logger: logger)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: group).run()
    }
}
