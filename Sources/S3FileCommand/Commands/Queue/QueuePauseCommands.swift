import ArgumentParser
import S3File

/// `s3file queue pause QUEUE`.
struct QueuePauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let workers begin nothing new in a queue; what is moving goes on."
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The queue.", valueName: "queue"))
    var name = "default"

    func run() async throws {
        try await self.settings.changeQueue(self.name, QueueChange(paused: true), mustExist: true, self.output)
    }
}

/// `s3file queue resume QUEUE`.
struct QueueResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let workers go on with a queue that was paused."
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: ArgumentHelp("The queue.", valueName: "queue"))
    var name = "default"

    func run() async throws {
        try await self.settings.changeQueue(self.name, QueueChange(paused: false), mustExist: true, self.output)
    }
}

extension SettingsOptions {
    /// Changes a queue, and shows how it is then.
    func changeQueue(_ name: String, _ change: QueueChange, mustExist: Bool, _ output: OutputOptions) async throws {
        let changed = try await self.withQueue { queue in
            if mustExist { try await queue.requireQueue(name) }
            try await queue.setQueue(name, change)
            if change.paused == false { try await queue.notify() }
            return try await queue.queueStatistics(countingTo: 100_000).first { $0.name == name }
        }
        guard let changed else { return }
        let more = changed.isWhole ? "" : "+"
        try output.print(
            changed.document,
            text:
                "\(name): \(changed.settings.isEmpty ? "as usual" : changed.settings). \(changed.due)\(more) due, \(changed.moving) moving."
        )
    }
}
