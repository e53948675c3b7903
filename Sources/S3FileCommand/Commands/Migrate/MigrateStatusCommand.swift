import ArgumentParser
import Foundation
import Postgres
import S3File

/// `s3file migrate status`.
struct MigrateStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show which versions are applied; changes nothing.",
        discussion: """
            Exits with 0 when the tables are up to date, with 3 when something is pending, and with 4 when migrate would refuse: a version \
            was edited since it was applied, is not known to this program, or was skipped.
            """
    )

    /// One migration, as --json tells it.
    private struct Line: Encodable {
        var version: Int
        var name: String
        var state: String
        var appliedAt: Date?
        var editedPart: String?
        var breaking: Bool?
        var hasDownPart: Bool
    }

    private struct Answer: Encodable {
        var upToDate: Bool
        var migrations: [Line]
    }

    @OptionGroup var settings: SettingsOptions

    @OptionGroup var output: OutputOptions

    func run() async throws {
        let migrations = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: self.settings.quietLogger)
        {
            try await Migrator.uploads($0).status()
        }
        let isRefused = migrations.contains(where: \.isRefused)
        let status: ExitReason = isRefused ? .tablesAhead : migrations.contains(where: \.isPending) ? .tablesBehind : .done
        let lines = migrations.map { migration in
            Line(
                version: migration.version,
                name: migration.name,
                state: migration.state.word,
                appliedAt: migration.state.appliedAt,
                editedPart: migration.state.editedPart?.rawValue,
                breaking: migration.state.isBreaking,
                hasDownPart: migration.hasDownPart
            )
        }
        try self.output.print(
            Answer(upToDate: status == .done, migrations: lines),
            text: {
                var table = TextTable([("version", .left), ("name", .left), ("state", .left), ("applied", .left)])
                for (migration, line) in zip(migrations, lines) {
                    table.add([String(line.version), line.name, migration.state.phrase, line.appliedAt?.text ?? ""])
                }
                return table.lines().joined(separator: "\n")
            }()
        )
        if status != .done { throw status.exit }
    }
}
