import ArgumentParser
import Postgres
import S3File

/// `s3file migrate up`, or `s3file migrate` alone.
struct MigrateUpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Apply what is missing (the default).",
        discussion: """
            To upgrade without a pause: run it with --pre while the old version still runs, deploy the new one, and run it with --post when \
            nothing of the old version runs any more.
            """
    )

    @OptionGroup var settings: SettingsOptions

    @Option(help: ArgumentHelp("The last version to apply.", valueName: "version"))
    var to: Int?

    @Flag(help: "Only what is safe while the old version runs.")
    var pre = false

    @Flag(help: "Only what has to wait until the old version is gone.")
    var post = false

    func run() async throws {
        let logger = self.settings.quietLogger
        let parts: Set<Migration.Part> = self.pre == self.post ? [.pre, .post] : [self.pre ? .pre : .post]
        let (steps, waiting) = try await Database.with(
            try await self.settings.requiredDatabaseURL(),
            logger: self.settings.quietLogger
        ) { client in
            let migrator = Migrator.uploads(client)
            let steps = try await migrator.apply(to: self.to, parts: parts, logger: logger)
            return (steps, try await migrator.status())
        }
        for step in steps {
            let part = step.part == .pre ? "" : " (\(step.part.rawValue) part)"
            try StandardOutput.line("Applied \(step.migration.version) \(step.migration.name)\(part)")
        }
        let pending = waiting.filter { $0.isPending }
        if pending.isEmpty, steps.isEmpty { try StandardOutput.line("The tables are up to date.") }
        for migration in pending {
            let (part, time) = migration.state == .pending ? ("", "") : (" (post part)", " when the old version is gone")
            try StandardOutput.line("Left is \(migration.version) \(migration.name)\(part): run s3file migrate\(time).")
        }
    }
}
