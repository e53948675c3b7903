import ArgumentParser
import Foundation
import S3File

/// `s3file cancel ID…`: withdraws uploads.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Withdraw uploads that are queued or moving.",
        discussion: """
            A queued one is cancelled at once; a moving one when its worker has given up its copy, unless it is stored first. Their bytes stay \
            for a while, and `s3file retry` takes them up again. Exits with 2 when one has ended already, or is not there.
            """
    )

    /// What became of one.
    private struct Line: Encodable {
        /// `cancelled`, `requested` (it is moving), or `not_cancelled`.
        var result: String
        var id: String
        var reason: String?
    }

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The uploads' ids.", valueName: "id"))
    var ids: [UploadID]

    func run() async throws {
        try await self.settings.withQueue { queue in
            var isWell = true
            for id in self.ids.map(\.id) {
                let line = try await self.cancel(id, queue)
                if line.result == "not_cancelled" { isWell = false }
                if self.output.json {
                    try StandardOutput.json(line)
                } else if let reason = line.reason {
                    StandardError.line("\(line.id): \(reason).")
                } else {
                    try StandardOutput.line("\(line.id)  \(line.result)")
                }
            }
            if !isWell { throw ExitReason.problems.exit }
        }
    }

    private func cancel(_ id: UUID, _ queue: UploadQueue) async throws -> Line {
        if try await queue.cancelOne(id) { return Line(result: "cancelled", id: id.text) }
        guard let upload = try await queue.queued([id])[id] else {
            return Line(result: "not_cancelled", id: id.text, reason: "There is no such upload")
        }
        // It may have been put back into the queue since it was asked to stop, and will be cancelled there.
        if upload.cancelRequested { return Line(result: "requested", id: id.text) }
        return Line(result: "not_cancelled", id: id.text, reason: "It is \(upload.upload.status.rawValue)")
    }
}
