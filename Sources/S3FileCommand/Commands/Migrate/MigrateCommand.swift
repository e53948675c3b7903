import ArgumentParser

/// `s3file migrate`: the tables in Postgres, from version to version.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Create or upgrade the tables in Postgres.",
        discussion: "Safe to run twice, and from many machines at once.",
        subcommands: [MigrateUpCommand.self, MigrateDownCommand.self, MigrateStatusCommand.self, MigrateAdoptCommand.self],
        defaultSubcommand: MigrateUpCommand.self
    )
}
