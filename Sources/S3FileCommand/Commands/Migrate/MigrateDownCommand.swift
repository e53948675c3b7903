import ArgumentParser
import Postgres
import S3File

/// `s3file migrate down --to N --yes`.
struct MigrateDownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Go back to an older version.",
        discussion: """
            Stop the programs of the newer version first. What only newer tables and columns hold is lost: say --yes, and have a backup.
            """
    )

    @OptionGroup var settings: SettingsOptions

    @Option(help: ArgumentHelp("The version to go back to.", valueName: "version"))
    var to: Int

    @Flag(help: "Lose what only the newer tables hold.")
    var yes = false

    func run() async throws {
        guard self.yes else {
            throw ValidationError(
                "Going back to version \(self.to) loses what only newer tables and columns hold: say --yes if that is meant"
            )
        }
        let logger = self.settings.quietLogger
        let steps = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: logger) {
            client in
            try await Migrator.uploads(client).revert(to: self.to, logger: logger)
        }
        if steps.isEmpty { try StandardOutput.line("The tables are not above version \(self.to).") }
        for step in steps { try StandardOutput.line("Took back \(step.migration.version) \(step.migration.name)") }
    }
}
