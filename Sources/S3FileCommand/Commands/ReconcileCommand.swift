import ArgumentParser
import Foundation
import S3
import S3File
import S3FileWorker

/// `s3file reconcile`: whether the record and the store agree.
struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Compare the record with what is in S3, and say where they disagree.",
        discussion: """
            Prints a line for each disagreement, as it is found: missing, source_missing, orphaned, wrong_size, wrong_etag, unstamped, \
            stuck, tmp_left, tmp_stale or stale_multipart. Workers may go on meanwhile. Exits with 0 when all is well, or was mended, and \
            with 2 when something is left.

            --apply mends what can be mended without losing anything: a missing file is stored again from its tmp object, a failed upload \
            whose copy is there is taken up again, jobs that were lost go back into the queue, and what is left over in the tmp prefix or \
            in parts is removed. What may lose a file needs --force as well: to forget records of files that are gone for good, and to \
            delete orphans. Each repair looks again before it is done.
            """
    )

    @OptionGroup var settings: SettingsOptions

    @OptionGroup var output: OutputOptions

    @Option(help: "Only stored files whose key begins so; all below S3FILE_LOCATION unless it is set.")
    var prefix: String?

    @Flag(help: "Ask each stored object for the upload's stamp, also where size and ETag agree: a request each.")
    var stamps = false

    @Flag(inversion: .prefixedNo, help: "Ask each object that no upload has for a stamp of ours: a request each.")
    var orphans = true

    @Option(help: "Minutes without progress after which an upload is stuck.")
    var stuckAfter = 60

    @Flag(help: "Mend what can be mended without losing anything.")
    var apply = false

    @Flag(help: "With --apply: also what may lose a file.")
    var force = false

    @Option(help: "The most repairs of a kind.")
    var limit = 100

    func validate() throws {
        guard !self.force || self.apply else { throw ValidationError("--force says how to --apply: give both, or neither") }
        guard (1...1_000_000).contains(self.limit) else { throw ValidationError("--limit must lie between 1 and 1000000") }
        guard (1...100_000).contains(self.stuckAfter) else {
            throw ValidationError("--stuck-after must lie between 1 and 100000 minutes")
        }
    }

    /// The last line of --json.
    private struct Answer: Encodable {
        struct Summary: Encodable {
            var agrees: Bool
            var objects: Int
            var tmpObjects: Int
            var uploads: Int
            var hidden: Int
            var multipartListed: Bool
            var otherBuckets: [String]
            /// By class, those of which there are any.
            var classes: [String: Reconciler.Summary.Count]
        }

        var summary: Summary
    }

    func run() async throws {
        let logger = self.settings.quietLogger
        let configuration = try await self.settings.configuration()
        let summary = try await Connections.with(configuration, logger: logger) { connections in
            try await connections.queue.checkSchema()
            for bucket in Set([configuration.bucket, configuration.tmpBucket]) { try await connections.s3.headBucket(bucket) }
            return try await ProgressLine.with { progress in
                try await Reconciler(connections: connections, options: self.options, logger: logger).run { summary in
                    progress.show(
                        "\(summary.objects + summary.tmpObjects) objects, \(summary.uploads) uploads, \(summary.open) disagreements"
                    )
                } report: { disagreement in
                    progress.clear()
                    try self.output.print(disagreement, text: Self.text(disagreement))
                }
            }
        }
        try self.output.print(self.answer(summary), text: self.text(summary, configuration))
        if summary.open > 0 { throw ExitReason.problems.exit }
    }

    private var options: Reconciler.Options {
        var options = Reconciler.Options()
        options.prefix = self.prefix
        options.checksStamps = self.stamps
        options.looksForOrphans = self.orphans
        options.stuckAfter = .seconds(self.stuckAfter * 60)
        options.applies = self.apply
        options.forces = self.force
        options.limit = self.limit
        return options
    }

    private func answer(_ summary: Reconciler.Summary) -> Answer {
        Answer(
            summary: .init(
                agrees: summary.open == 0,
                objects: summary.objects,
                tmpObjects: summary.tmpObjects,
                uploads: summary.uploads,
                hidden: summary.hidden,
                multipartListed: summary.sawMultipart,
                otherBuckets: summary.otherBuckets,
                classes: Dictionary(uniqueKeysWithValues: summary.counts.map { ($0.key.rawValue, $0.value) })
            )
        )
    }

    private static func text(_ disagreement: Disagreement) -> String {
        let place = disagreement.key.isEmpty ? "" : "  s3://\(disagreement.bucket)/\(disagreement.key)"
        let upload = disagreement.upload.map { "  upload \($0.uuidString.lowercased())" } ?? ""
        let outcome =
            switch disagreement.outcome {
            case .reported: ""
            case .repaired: "  Mended."
            case .changed: "  No longer so: left alone."
            case .needsForce: "  Left: --force was not given."
            case .beyondLimit: "  Left: as many of its kind were mended as --limit allows."
            case .failed(let message): "  Could not be mended: \(message)"
            }
        return TextTable.printable("\(disagreement.kind.rawValue)\(place)\(upload)  \(disagreement.detail)\(outcome)")
    }

    private func text(_ summary: Reconciler.Summary, _ configuration: S3FileConfiguration) -> String {
        var lines = [
            "\(summary.uploads) uploads compared with \(summary.objects) objects in \(configuration.bucket), "
                + "and \(summary.tmpObjects) below \(configuration.tmpPrefix)/."
        ]
        if summary.counts.isEmpty {
            lines.append("All is well.")
        } else {
            var table = TextTable([("class", .left), ("found", .right), ("mended", .right), ("left", .right)])
            for kind in Disagreement.Kind.allCases {
                guard let count = summary.counts[kind] else { continue }
                table.add([kind.rawValue, String(count.found), String(count.repaired), String(count.open)])
            }
            lines += table.lines()
        }
        if summary.hidden > 0 { lines.append("\(summary.hidden) objects may not be looked at: allow s3:GetObject.") }
        if !summary.sawMultipart { lines.append("Uploads in parts may not be listed here: allow s3:ListBucketMultipartUploads.") }
        if !summary.otherBuckets.isEmpty {
            lines.append(
                "The record also names \(summary.otherBuckets.joined(separator: ", ")): run this with --bucket for each."
            )
        }
        return lines.joined(separator: "\n")
    }
}
