import ArgumentParser
import Foundation
import Logging
import S3DevServer
import ServiceLifecycle
import UnixSignals

/// `s3file dev`: a whole installation on one machine, for as long as a command runs.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run an app with its own Postgres, S3 server and worker.",
        discussion: """
            Starts a private Postgres and an S3 server on a folder, creates the tables, runs a worker, and then COMMAND with the \
            settings that lead to them in its environment (DATABASE_URL, AWS_ENDPOINT_URL_S3, S3FILE_BUCKET, …). Ends all of them \
            in order when COMMAND ends, or on Ctrl-C or SIGTERM. What they store stays in the folder and is found again.

            DATABASE_URL and AWS_ENDPOINT_URL_S3, when set, are used in place of a private Postgres and S3 server. Without COMMAND, \
            the services run until they are stopped.
            """
    )

    @Option(help: "The folder that keeps the database, the objects, the secret and the logs.")
    var directory = ".s3file"

    @Option(help: "The port of the app, given to COMMAND as S3FILE_PORT; 0 takes a free one.")
    var port = 8000

    @Option(help: "The port of the S3 server; 0 takes a free one.")
    var s3Port = 9000

    @Option(help: "Let Postgres listen on this port, too, with a password (in DATABASE_URL); 0 takes a free one.")
    var postgresPort: Int?

    @Option(
        help: ArgumentHelp(
            "Let the S3 server misbehave, as in 'latency=30ms; slow-down rate=0.1 operation=CopyObject'.",
            discussion: """
                Kinds: latency=30ms, slow-down, unavailable, internal-error, conflict, precondition-failed, error-in-200, \
                lose-request, lose-reply, truncate, stall=60s. Each can be limited by operation=CopyObject, method=PUT, bucket=, prefix= (of the key), \
                rate=0.1, every=10 and times=3. With this option, even an empty one, faults are switched while the server runs: \
                curl -X PUT --data 'lose-reply every=10' http://127.0.0.1:9000/_faults (GET shows them, DELETE ends them). \
                S3FILE_DEV_S3_FAULTS in the environment does the same.
                """
        )
    )
    var s3Faults: String?

    @Flag(help: "Leave the worker out: COMMAND has its own, or is a test.")
    var noWorker = false

    @Argument(parsing: .postTerminator, help: "The command to run, after `--`.")
    var command: [String] = []

    func run() async throws {
        let inherited = ProcessInfo.processInfo.environment
        let port = self.command.isEmpty ? nil : try LoopbackPort(claiming: self.port, option: "--port")
        let s3Port = DevelopmentSettings.hasS3(inherited) ? nil : try LoopbackPort(claiming: self.s3Port, option: "--s3-port")
        let postgresPort = try self.postgresPort.map { try LoopbackPort(claiming: $0, option: "--postgres-port") }
        let faults = try (self.s3Faults ?? inherited["S3FILE_DEV_S3_FAULTS"]).map { try FaultRule.parse($0) }
        let directory = try DevelopmentDirectory(self.directory)
        let cluster = DevelopmentSettings.hasDatabase(inherited) ? nil : try PrivateCluster(in: directory, tcpPort: postgresPort)
        let settings = DevelopmentSettings(
            inherited: inherited,
            databaseURL: cluster?.url,
            s3Port: s3Port,
            port: port,
            secret: try directory.secret()
        )
        var logger = Logger(label: "s3file.dev") { label in StreamLogHandler.standardError(label: label) }
        logger.logLevel = .notice

        let app = DevelopmentApp(
            command: self.command,
            settings: settings,
            cluster: cluster,
            directory: directory,
            port: port,
            s3Port: s3Port,
            s3Faults: faults,
            hasWorker: !self.noWorker,
            logger: logger
        )
        var services = [DevelopmentApp.endingAll(app)]
        if let cluster {
            services.insert(DevelopmentApp.endingAll(cluster), at: 0)
        }
        var configuration = ServiceGroupConfiguration(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = .seconds(90)
        try await ServiceGroup(configuration: configuration).run()
        if let code = app.exitCode, code != 0 {
            throw ExitCode(code)
        }
    }
}
