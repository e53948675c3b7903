import ArgumentParser
import S3File
import S3FileWorker

/// `s3file sweep`: one pass over stale tmp objects. Workers do the same by themselves, once an hour.
struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Remove tmp objects that no form claimed in time (S3FILE_EXPIRY_HOURS, default 24)."
    )

    @OptionGroup var settings: SettingsOptions

    func run() async throws {
        let logger = self.settings.quietLogger
        let summary = try await Connections.with(try await self.settings.configuration(), logger: logger) { connections in
            try await connections.queue.checkSchema()
            return try await Sweeper(connections: connections, logger: logger).sweep()
        }
        try StandardOutput.line(
            "\(summary.listed) tmp objects listed, \(summary.deleted) removed, \(ByteCount(bytes: summary.bytesFreed)) freed."
        )
        if summary.failed > 0 {
            StandardError.line(
                "\(summary.failed) could not be removed; run it again, and check the worker's rights on the bucket."
            )
            throw ExitReason.problems.exit
        }
    }
}
