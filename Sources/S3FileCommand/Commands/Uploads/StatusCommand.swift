import ArgumentParser
import Foundation
import S3File

/// `s3file status ID…`: single uploads, as the status API tells them.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show single uploads, and wait for them.",
        discussion: """
            With --json each is a line, as GET /s3file/uploads/ID answers it. Exits with 0 when all are there, and with --wait when all are \
            stored; with 2 when one is not there, ended in another way, or goes on for longer than --wait.
            """
    )

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("Wait until they have ended, for so long at most: 90s, 30m, 12h.", valueName: "time"))
    var wait: Age?

    @Argument(help: ArgumentHelp("The uploads' ids.", valueName: "id"))
    var ids: [String]

    func run() async throws {
        let ids = try self.ids.map { text in
            guard let id = UUID(uuidString: text) else {
                throw ValidationError("\"\(text)\" is not an upload's id; it looks like 0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60")
            }
            return id
        }
        let found = try await self.settings.withQueue { try await self.look($0, ids) }
        for (place, id) in ids.enumerated() {
            guard let upload = found[id] else {
                StandardError.line("There is no upload \(id.text).")
                continue
            }
            if self.output.json {
                try StandardOutput.line(String(decoding: try upload.json(), as: UTF8.self))
            } else {
                try StandardOutput.line((place == 0 ? "" : "\n") + self.text(upload))
            }
        }
        let isWell = ids.allSatisfy { id in found[id].map { self.wait == nil || $0.status == .stored } ?? false }
        guard isWell else { throw ExitReason.problems.exit }
    }

    private func look(_ queue: UploadQueue, _ ids: [UUID]) async throws -> [UUID: Upload] {
        let deadline = ContinuousClock.now + (self.wait?.duration ?? .zero)
        return try await ProgressLine.with { progress in
            while true {
                let found = try await queue.uploads(ids)
                let open = found.values.filter { $0.status == .queued || $0.status == .moving }
                guard !open.isEmpty, .now < deadline else { return found }
                progress.show(Self.words(open))
                try await Task.sleep(for: min(.milliseconds(500), deadline - .now))
            }
        }
    }

    private static func words(_ uploads: [Upload]) -> String {
        let (copied, total) = uploads.reduce((0, 0)) { ($0.0 + $1.progress.copied, $0.1 + $1.progress.total) }
        let percent = total > 0 ? copied * 100 / total : 0
        let moving = uploads.count { $0.status == .moving }
        return "\(uploads.count - moving) queued, \(moving) moving, \(percent) % copied"
    }

    private func text(_ upload: Upload) -> String {
        var lines = [
            "\(upload.status.rawValue)  \(TextTable.printable(upload.filename))  \(ByteCount(bytes: upload.size))",
            "id       \(upload.id.text)",
        ]
        if let key = upload.key { lines.append("key      s3://\(upload.bucket)/\(TextTable.printable(key))") }
        lines.append("attempt  \(upload.attempt) of \(upload.maxAttempts)")
        if let error = upload.error { lines.append(TextTable.printable("error    \(error.code): \(error.message)")) }
        lines.append("created  \(upload.createdAt.text)")
        if let storedAt = upload.storedAt { lines.append("stored   \(storedAt.text)") }
        return lines.joined(separator: "\n")
    }
}
