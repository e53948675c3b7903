import ArgumentParser
import S3File

/// `s3file`: what operators and developers type.
@main
struct S3FileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3file",
        abstract: "Large file uploads: the browser sends bytes to S3, Postgres keeps the record, workers do the rest.",
        version: S3FileVersion.current,
        subcommands: [
            DevCommand.self, MigrateCommand.self, WorkerCommand.self, StatusCommand.self, SweepCommand.self,
            ReconcileCommand.self,
            CheckCommand.self,
        ]
    )

    /// The one place where an error becomes a sentence and an exit code.
    static func main() async {
        do {
            var command = try Self.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let failure = Failure(ending: error) else { Self.exit(withError: error) }
            StandardError.line("Error: \(failure.sentence)")
            Self.exit(withError: failure.status.exit)
        }
    }
}
