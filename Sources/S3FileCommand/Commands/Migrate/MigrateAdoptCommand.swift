import ArgumentParser
import Postgres
import S3File

/// `s3file migrate adopt N`.
struct MigrateAdoptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Record versions as applied whose files psql ran alone.",
        discussion: """
            Runs nothing. Makes what these versions make once more, in a transaction that is rolled back, compares it with what is there, \
            and records the versions only if all of it is there to the letter.
            """
    )

    @OptionGroup var settings: SettingsOptions

    @Argument(help: ArgumentHelp("The last version to record.", valueName: "version"))
    var version: Int

    func run() async throws {
        let logger = self.settings.quietLogger
        let adopted = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: logger) {
            client in
            try await Migrator.uploads(client).adopt(self.version, logger: logger)
        }
        if adopted.isEmpty { try StandardOutput.line("Recorded before; nothing to do.") }
        for migration in adopted { try StandardOutput.line("Recorded \(migration.version) \(migration.name)") }
    }
}
