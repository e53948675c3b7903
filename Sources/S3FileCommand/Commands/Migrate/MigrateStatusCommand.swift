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

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let migrations = try await Database.with(try await self.settings.requiredDatabaseURL(), logger: self.settings.logger) {
            try await Migrator.uploads($0).status()
        }
        let exitCode: Int32 = migrations.contains(where: \.isRefused) ? 4 : migrations.contains(where: \.isPending) ? 3 : 0
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
        if self.json {
            let encoder = JSONEncoder()
            encoder.dateEncodingStrategy = .iso8601
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            print(String(decoding: try encoder.encode(Answer(upToDate: exitCode == 0, migrations: lines)), as: UTF8.self))
        } else {
            let width = max(4, migrations.map(\.name.count).max() ?? 0)
            print(Self.row("version", "name", "state", "applied", width))
            for (migration, line) in zip(migrations, lines) {
                let at = line.appliedAt?.formatted(.iso8601) ?? ""
                print(Self.row(String(line.version), line.name, migration.state.phrase, at, width))
            }
        }
        if exitCode != 0 { throw ExitCode(exitCode) }
    }

    private static func row(_ version: String, _ name: String, _ state: String, _ applied: String, _ nameWidth: Int) -> String {
        let cells = [(version, 8), (name, nameWidth + 1), (state, 34), (applied, 0)]
        let line = cells.map { text, width in text + String(repeating: " ", count: max(1, width - text.count)) }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
