import ArgumentParser
import Foundation
import S3
import S3File
import S3FileWorker

/// `s3file sweep`: one pass over stale tmp objects. Workers do the same by themselves, once an hour.
struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Remove tmp objects that no form claimed in time (S3FILE_EXPIRY_HOURS, default 24).",
        discussion: """
            Also gives up uploads in parts that nobody ended, and removes the copies that attempts at withdrawn and failed uploads have \
            left. It never takes an object that an upload claims which waits, moves, or failed \
            within the last week. Exits with 0 when all that was old is gone, with 2 when something would not go, and with 69 when another \
            process is at it.
            """
    )

    @OptionGroup var settings: SettingsOptions

    @OptionGroup var output: OutputOptions

    @Flag(help: "Only say what would be removed; touches nothing, in Postgres or in S3.")
    var dryRun = false

    /// What --json tells.
    private struct Answer: Encodable {
        var dryRun: Bool
        var listed: Int
        var removed: Int
        var bytesFreed: Int64
        var kept: Int
        var busy: Int
        var failed: Int
        var failure: String?
        var uploadsGivenUp: Int
        var partBytesFreed: Int64
        var uploadsListed: Bool
        var copiesRemoved: Int
    }

    func run() async throws {
        let logger = self.settings.quietLogger
        let configuration = try await self.settings.configuration()
        let summary = try await Connections.with(configuration, logger: logger) { connections in
            try await connections.queue.checkSchema()
            try await connections.s3.headBucket(configuration.tmpBucket)
            return try await ProgressLine.with { progress in
                try await self.sweep(Sweeper(connections: connections, logger: logger), progress)
            }
        }
        try self.output.print(self.answer(summary), text: self.text(summary))
        if summary.failed > 0 { throw ExitReason.problems.exit }
    }

    private func sweep(_ sweeper: Sweeper, _ progress: ProgressLine) async throws -> SweepSummary {
        let show: Sweeper.Progress = { summary in
            progress.show(
                "\(summary.listed) tmp objects listed, \(summary.removed) removed, \(ByteCount(bytes: summary.totalBytesFreed)) freed"
            )
        }
        if self.dryRun { return try await sweeper.preview(progress: show) }
        if let summary = try await sweeper.sweep(progress: show) { return summary }
        let state = try await sweeper.state()
        let since = state?.beganAt.map { " since \($0.text)" } ?? ""
        throw CommandError(
            .unreachable,
            "\(state?.holder ?? "Another process") is at it\(since), and has looked at \(state?.listed ?? 0) tmp objects: wait for it, "
                + "or, if it is gone, two minutes"
        )
    }

    private func answer(_ summary: SweepSummary) -> Answer {
        Answer(
            dryRun: self.dryRun,
            listed: summary.listed,
            removed: summary.removed,
            bytesFreed: summary.bytesFreed,
            kept: summary.kept,
            busy: summary.busy,
            failed: summary.failed,
            failure: summary.failure,
            uploadsGivenUp: summary.uploadsGivenUp,
            partBytesFreed: summary.partBytesFreed,
            uploadsListed: summary.sawUploads,
            copiesRemoved: summary.copiesRemoved
        )
    }

    private func text(_ summary: SweepSummary) -> String {
        let (removed, freed, given) =
            self.dryRun ? ("would be removed", "would be freed", "would be given up") : ("removed", "freed", "given up")
        var lines = [
            "\(summary.listed) tmp objects listed, \(summary.removed) \(removed), \(ByteCount(bytes: summary.bytesFreed)) \(freed)."
        ]
        if summary.uploadsGivenUp > 0 {
            lines.append(
                "Uploads in parts that nobody ended: \(summary.uploadsGivenUp) \(given), \(ByteCount(bytes: summary.partBytesFreed)) \(freed)."
            )
        }
        if summary.copiesRemoved > 0 {
            lines.append("Copies of uploads that were withdrawn or failed: \(summary.copiesRemoved) removed.")
        }
        if summary.kept > 0 { lines.append("Old, and claimed by uploads: \(summary.kept), which stay.") }
        if summary.busy > 0 {
            lines.append("Old, and in somebody's hands just now: \(summary.busy), which the next pass will look at.")
        }
        if !summary.sawUploads {
            lines.append(
                "Uploads in parts may not be listed here: allow s3:ListBucketMultipartUploads, or have a lifecycle rule abort them."
            )
        }
        if summary.failed > 0 {
            lines.append(
                "\(summary.failed) could not be removed (\(summary.failure ?? "")): run it again, and check the worker's rights on the bucket."
            )
        }
        return lines.joined(separator: "\n")
    }
}
