import ArgumentParser
import Foundation
import S3File

/// `s3file queue`: the named queues.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Look at the queues, pause and resume them, and set their limits.",
        subcommands: [QueueStatsCommand.self, QueuePauseCommand.self, QueueResumeCommand.self, QueueSetCommand.self],
        defaultSubcommand: QueueStatsCommand.self
    )
}

/// A queue as `--json` tells it.
struct QueueDocument: Encodable {
    var name: String
    var paused: Bool
    var fair: Bool
    var maxInFlight: Int32?
    var maxInFlightPerOwner: Int32?
    var maxInFlightPerBucket: Int32?
    var due: Int64
    var later: Int64
    var moving: Int64
    /// Whether all that wait were counted.
    var isWhole: Bool
    var oldestDueSeconds: Int?
    var workers: Int64
}

extension QueueStatistics {
    var document: QueueDocument {
        QueueDocument(
            name: self.name,
            paused: self.isPaused,
            fair: self.isFair,
            maxInFlight: self.maxInFlight,
            maxInFlightPerOwner: self.maxInFlightPerOwner,
            maxInFlightPerBucket: self.maxInFlightPerBucket,
            due: self.due,
            later: self.later,
            moving: self.moving,
            isWhole: self.isWhole,
            oldestDueSeconds: self.oldestDueAt.map { max(0, Int(-$0.timeIntervalSinceNow)) },
            workers: self.workers
        )
    }

    /// What is not as in an ordinary queue, for people.
    var settings: String {
        var words: [String] = []
        if self.isPaused { words.append("paused") }
        if self.isFair { words.append("fair") }
        for (name, limit) in [
            ("in flight", self.maxInFlight), ("an owner", self.maxInFlightPerOwner), ("a bucket", self.maxInFlightPerBucket),
        ] {
            if let limit { words.append("at most \(limit) \(name)") }
        }
        return words.joined(separator: ", ")
    }
}

extension UploadQueue {
    /// A queue that is there: a name that was mistyped must not make one.
    func requireQueue(_ name: String) async throws {
        let names = try await self.queueStatistics(countingTo: 1).map(\.name)
        guard names.contains(name) else {
            throw CommandError(
                .problems,
                "There is no queue \"\(name)\", only \(names.joined(separator: ", ")): s3file queue set makes one"
            )
        }
    }
}
