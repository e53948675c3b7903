import Configuration
import Foundation
import S3File
import Testing

/// The table of settings in the documentation, and what the programs read.
@Suite struct SettingsTableTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL

    /// The rows of the table: names, and the text of the default.
    private static func rows() throws -> [(names: [String], fallback: String)] {
        let page = Self.root.appending(path: "Sources/S3File/S3File.docc/Settings.md")
        return try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
            let cells = row.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return (cells[1].matches(of: /`([A-Z0-9_]+)`/).map { String($0.1) }, cells[2])
        }
    }

    /// What any source of ours calls a setting.
    private static func namesInSources() throws -> Set<String> {
        let sources = Self.root.appending(path: "Sources")
        let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        var names: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            names.formUnion(text.matches(of: /\b(?:S3FILE|AWS|DATABASE)_[A-Z0-9_]*[A-Z0-9]\b/).map { String($0.0) })
        }
        return names
    }

    @Test func `the table has every setting that a program reads, and no other`() throws {
        let table = Set(try Self.rows().flatMap(\.names))
        let read = try Self.namesInSources()
        #expect(table.count > 20)
        #expect(read.filter { $0.hasPrefix("S3FILE_") }.subtracting(table).isEmpty, "read, and not in Settings.md")
        #expect(table.subtracting(read).isEmpty, "in Settings.md, and read by nothing")
    }

    @Test func `the defaults in the table are those of the code`() throws {
        let provider = EnvironmentVariablesProvider(environmentVariables: [
            "DATABASE_URL": "postgresql://h/d", "S3FILE_BUCKET": "media",
        ])
        let usual = try S3FileConfiguration(reader: ConfigReader(provider: provider))
        let days = { (duration: Duration?) in "`\((duration ?? .zero).components.seconds / 86_400)`" }
        let defaults = [
            "S3FILE_TMP_PATH": "`\(usual.tmpPath)`",
            "S3FILE_ENVIRONMENT": "`\(usual.environment.rawValue)`",
            "S3FILE_TICKET_HOURS": "`\(usual.ticketLifetime.components.seconds / 3600)`",
            "S3FILE_EXPIRY_HOURS": "`\(usual.expiry.components.seconds / 3600)`",
            "S3FILE_POLICY_MINUTES": "`\(usual.policyLifetime.components.seconds / 60)`",
            "S3FILE_STREAMED_FORMS": "`\(usual.streamedForms)`",
            "S3FILE_WEB_REQUESTS": "`\(usual.webRequests)`",
            "S3FILE_WORKER_CONCURRENCY": "`\(usual.workerConcurrency)`",
            "S3FILE_STATUS_STREAMS": "`\(usual.statusStreams)`",
            "S3FILE_RETENTION_STORED_DAYS": days(usual.retention.stored),
            "S3FILE_RETENTION_UNSTORED_DAYS": days(usual.retention.unstored),
            "S3FILE_RETENTION_EVENT_DAYS": days(usual.retention.events),
        ]
        let rows = try Self.rows()
        for (name, fallback) in defaults {
            #expect(rows.first { $0.names == [name] }?.fallback == fallback, "\(name)")
        }
    }
}
