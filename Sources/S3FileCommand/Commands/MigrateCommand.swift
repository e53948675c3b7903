import ArgumentParser
import Postgres
import S3File

/// `s3file migrate`: creates or upgrades the tables. Safe to run twice, and from many machines at once.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Create or upgrade the tables in Postgres."
    )

    @OptionGroup var settings: SettingsOptions

    func run() async throws {
        let logger = self.settings.logger
        let applied = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: logger) { client in
            try await Migrator.uploads(client).apply(logger: logger)
        }
        if applied.isEmpty { print("The tables are up to date.") }
        for migration in applied { print("Applied \(migration.version) \(migration.name)") }
    }
}
