import ArgumentParser
import Foundation
import S3File

/// `s3file`: what operators and developers type.
@main
struct S3FileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "s3file",
        abstract: "Large file uploads: the browser sends bytes to S3, Postgres keeps the record, workers do the rest.",
        version: S3FileVersion.current,
        subcommands: [
            DevCommand.self, MigrateCommand.self, WorkerCommand.self, StatusCommand.self, SweepCommand.self, CheckCommand.self,
        ]
    )
}
