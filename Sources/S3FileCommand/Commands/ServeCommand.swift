import ArgumentParser
import Configuration
import CoreMetrics
import S3File
import S3FileService
import ServiceLifecycle
import UnixSignals

/// `s3file serve`: the web side for apps that are not written in Swift, until SIGTERM.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the web side for an app in another language, until SIGTERM.",
        discussion: """
            What browsers need is at /s3file: let the app's web server pass it on. The app's own API is at /v1, with one of \
            S3FILE_API_KEYS as Authorization: Bearer; GET /v1/openapi.json describes it. Only this machine can reach it, unless \
            --host says otherwise. On SIGTERM or Ctrl-C what is being served is finished, and nothing new is taken.
            """
    )

    @Option(help: "The JSON file that declares the fields (S3FILE_FIELDS).")
    var fields: String?

    @Option(help: "The port (S3FILE_PORT, default 8080); 0 takes a free one.")
    var port: Int?

    @Option(help: "Listen at this address, in place of 127.0.0.1. There is no TLS: put a proxy in front.")
    var host: String?

    @Option(help: "Listen at a Unix socket in place of a port (S3FILE_SOCKET); its user and group may connect.")
    var socket: String?

    @OptionGroup var health: HealthOptions

    @OptionGroup var settings: SettingsOptions

    func run() async throws {
        guard self.socket == nil || self.port == nil else {
            throw ValidationError("--port and --socket are two places to listen at: say one of them")
        }
        let reader = try await self.settings.reader(
            flags: [
                ("s3file.fields", self.fields), ("s3file.port", self.port.map(String.init)),
                // A port that was said goes before a socket of the environment.
                ("s3file.socket", self.socket ?? self.port.map { _ in "" }),
            ] + self.health.flags
        )
        let configuration = try S3FileConfiguration(reader: reader)
        try SettingsCheck.refuseDevelopment(configuration)
        let logger = try self.settings.logger(reader: reader)
        let health = try HealthSettings(reader: reader)
        // Whatever counts is made after.
        let metrics = health.map { _ in MetricsSystem.beginCounting() }
        let uploads = try Uploads(configuration: configuration, logger: logger)
        let service = try UploadService(
            uploads: uploads,
            configuration: try self.serviceConfiguration(reader, configuration),
            logger: logger
        )
        var services: [any Service] = [service]
        if let health, let metrics {
            services.insert(HealthListener(health, [uploads], metrics: metrics, logger: logger), at: 0)
        }
        var group = ServiceGroupConfiguration(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: group).run()
    }

    /// The fields' file may have several things wrong, each with its line: one line each, as editors find them.
    private func serviceConfiguration(_ reader: ConfigReader, _ uploads: S3FileConfiguration) throws -> ServiceConfiguration {
        let result = Result<ServiceConfiguration, any Error> {
            try ServiceConfiguration(reader: reader, host: self.host, uploads: uploads)
        }
        guard case .failure(let error as ConfigurationError) = result, error.message.contains("\n") else {
            return try result.get()
        }
        for line in error.message.split(separator: "\n") { StandardError.line(Secrets.struckOut(of: String(line))) }
        throw ExitReason.settings.exit
    }
}
