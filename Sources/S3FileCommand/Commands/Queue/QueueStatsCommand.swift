import ArgumentParser
import Foundation
import S3File

/// `s3file queue stats`, or `s3file queue` alone.
struct QueueStatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show what waits and moves in each queue (the default).",
        discussion: """
            due: what a worker could take now; oldest: since when the oldest of them is due; later: what waits for its next attempt or is held. \
            A + means that a million were counted, and there are more.
            """
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("Only this queue.", valueName: "queue"))
    var name: String?

    func run() async throws {
        let queues = try await self.settings.withQueue { queue in
            if let name = self.name { try await queue.requireQueue(name) }
            return try await queue.queueStatistics()
        }.filter { self.name == nil || $0.name == self.name }
        if self.output.json {
            for queue in queues { try StandardOutput.json(queue.document) }
            return
        }
        var table = TextTable([
            ("queue", .left), ("due", .right), ("oldest", .right), ("later", .right), ("moving", .right), ("workers", .right),
            ("settings", .left),
        ])
        for queue in queues {
            let more = queue.isWhole ? "" : "+"
            table.add([
                queue.name, "\(queue.due)\(more)", queue.oldestDueAt?.age() ?? "", "\(queue.later)\(more)", "\(queue.moving)",
                "\(queue.workers)", queue.settings,
            ])
        }
        try StandardOutput.line(table.lines().joined(separator: "\n"))
    }
}
