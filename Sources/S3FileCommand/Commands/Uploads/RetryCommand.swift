import ArgumentParser
import Foundation
import S3File

/// `s3file retry`: takes failed and cancelled uploads up again.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Queue failed and cancelled uploads again.",
        discussion: """
            By their ids, or all failed ones with --error-code or another filter, up to --limit of them: run it again for the next. An upload \
            whose bytes are gone by now cannot be retried. Exits with 2 when one that was named could not.
            """
    )

    /// What became of one.
    private struct Line: Encodable {
        var id: String
        var retried: Bool
        var reason: String?
    }

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var filter: FilterOptions

    @Flag(help: "All failed uploads that fit the filter, up to --limit.")
    var allFailed = false

    @Option(help: "With a filter: how many at most.")
    var limit = 1_000

    @Flag(help: "Say what would be done, and change nothing.")
    var dryRun = false

    @Argument(help: ArgumentHelp("The uploads' ids.", valueName: "id"))
    var ids: [UploadID] = []

    private var hasFilter: Bool {
        self.filter.errorCode != nil || self.filter.queue != nil || self.filter.owner != nil || self.filter.inBucket != nil
            || self.filter.olderThan != nil || self.filter.newerThan != nil
    }

    func validate() throws {
        guard self.ids.isEmpty == (self.allFailed || self.hasFilter) else {
            throw ValidationError(
                "Name the uploads by their ids, or say which: --error-code CODE, another filter, or --all-failed"
            )
        }
        guard self.limit > 0 else { throw ValidationError("--limit must be 1 or more") }
    }

    func run() async throws {
        try await self.settings.withQueue { queue in
            try await ProgressLine.with { progress in
                var retried = 0
                var refused = 0
                func take(_ ids: [UUID]) async throws {
                    let lines = try await self.retry(ids, queue)
                    retried += lines.count(where: \.retried)
                    refused += lines.count { !$0.retried }
                    progress.clear()
                    for line in lines { try self.show(line) }
                    progress.show("\(retried) retried")
                }
                if self.ids.isEmpty {
                    var next: UUID?
                    repeat {
                        let room = min(500, self.limit - retried - refused)
                        let page = try await queue.page(self.filter.filter([.failed]), after: next, limit: room)
                        if !page.uploads.isEmpty { try await take(page.uploads.map(\.id)) }
                        next = page.next
                        progress.show("\(retried) retried, looking on")
                    } while next != nil && retried + refused < self.limit
                } else {
                    for start in stride(from: 0, to: self.ids.count, by: 500) {
                        try await take(self.ids[start..<min(start + 500, self.ids.count)].map(\.id))
                    }
                }
                progress.end()
                if !self.output.json {
                    try StandardOutput.line(self.dryRun ? "\(retried) would be retried." : "\(retried) retried.")
                }
                if refused > 0, !self.ids.isEmpty { throw ExitReason.problems.exit }
            }
        }
    }

    /// One statement for all of them; who was not taken is told by how things stand after it.
    private func retry(_ ids: [UUID], _ queue: UploadQueue) async throws -> [Line] {
        let before = try await queue.uploads(ids)
        if !self.dryRun {
            let open = ids.filter { before[$0]?.status == .failed || before[$0]?.status == .cancelled }
            if try await queue.retry(open) > 0 { try await queue.notify() }
        }
        let after = self.dryRun ? before : try await queue.uploads(ids)
        return ids.map { id in
            guard let old = before[id], let new = after[id] else {
                return Line(id: id.text, retried: false, reason: "There is no such upload")
            }
            guard old.status == .failed || old.status == .cancelled else {
                return Line(id: id.text, retried: false, reason: "It is \(old.status.rawValue)")
            }
            guard self.dryRun || (new.status != .failed && new.status != .cancelled) else {
                return Line(id: id.text, retried: false, reason: "Its bytes are gone, or its queue is")
            }
            return Line(id: id.text, retried: true)
        }
    }

    private func show(_ line: Line) throws {
        if self.output.json { return try StandardOutput.json(line) }
        if let reason = line.reason { StandardError.line("\(line.id): \(reason).") }
    }
}
