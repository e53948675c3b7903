import ArgumentParser
import Foundation
import S3File

/// `s3file list`: many uploads, the newest first.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List uploads, the newest first.",
        discussion: """
            Looks through the record in short statements, however long it is: what is rare among millions takes a while, and Ctrl-C ends it \
            at any time. Queued and moving uploads, and those of one owner, are found at once. With --json each upload is a line, with what \
            the status API says and its owner, bucket and queue.
            """
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var filter: FilterOptions

    @Option(help: "Only those with this status; may be repeated.")
    var status: [StatusArgument] = []

    @Option(help: "How many at most.")
    var limit = 100

    @Flag(help: "All of them.")
    var all = false

    @Option(help: ArgumentHelp("Go on behind the upload with this id, the last of the page before.", valueName: "id"))
    var after: UploadID?

    func validate() throws {
        guard self.limit > 0 else { throw ValidationError("--limit must be 1 or more") }
    }

    func run() async throws {
        let filter = self.filter.filter(self.status.map(\.status))
        try await self.settings.withQueue { queue in
            if self.filter.owner != nil, let after = self.after, try await queue.upload(after.id) == nil {
                throw CommandError(.problems, "There is no upload \(after.id.text) to go on behind: begin without --after")
            }
            try await ProgressLine.with { progress in
                var (shown, pages) = (0, 0)
                var next = self.after?.id
                repeat {
                    try Task.checkCancellation()
                    let room = self.all ? 500 : min(500, self.limit - shown)
                    let page = try await queue.page(filter, after: next, limit: room)
                    pages += 1
                    if !page.uploads.isEmpty {
                        progress.clear()
                        try self.show(page.uploads, isFirst: shown == 0)
                    }
                    shown += page.uploads.count
                    next = page.next
                    progress.show("\(shown) found, looking on")
                } while next != nil && (self.all || shown < self.limit)
                progress.end()
                if let next, Terminal(STDERR_FILENO) != nil { StandardError.line("There may be more: --after \(next.text)") }
                if shown == 0, !self.output.json { StandardError.line("There is none.") }
            }
        }
    }

    private func show(_ uploads: [QueuedUpload], isFirst: Bool) throws {
        if self.output.json {
            var text = ""
            for upload in uploads {
                text += String(decoding: try JSON.encode(UploadDocument(upload)), as: UTF8.self) + "\n"
            }
            return try StandardOutput.write(text)
        }
        var table = TextTable([
            ("id", .left), ("status", .left), ("age", .right), ("size", .right), ("attempt", .right), ("error", .left),
            ("file", .left),
        ])
        for queued in uploads {
            let upload = queued.upload
            table.add([
                upload.id.text, upload.status.rawValue, upload.createdAt.age(), ByteCount(bytes: upload.size).description,
                "\(upload.attempt)/\(upload.maxAttempts)", upload.error?.code ?? "", upload.filename,
            ])
        }
        try StandardOutput.write(table.lines(withHeader: isFirst).map { $0 + "\n" }.joined())
    }
}
