import ArgumentParser
import Configuration
import S3File

/// `s3file bucket setup`: CORS, lifecycle and policy, shown first.
struct BucketSetupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "Write the buckets' CORS and lifecycle rules, and with --policy their policy.",
        discussion: """
            Shows what would change; with --yes it is written. Only rules with our ids are written or replaced (s3file, s3file-tmp, \
            s3file-unfinished-uploads, and statements S3File…); all others stay as they are. Needs Postgres not at all, and an \
            administrator's rights on the buckets: s3:GetBucketCORS, s3:PutBucketCORS, s3:GetLifecycleConfiguration, \
            s3:PutLifecycleConfiguration, s3:GetBucketVersioning, with --policy s3:GetBucketPolicy and s3:PutBucketPolicy. Exits with 2 when \
            something is left to be done: without --yes, or where the store does not know it.
            """
    )

    /// What becomes of one document.
    private struct Line: Encodable {
        var bucket: String
        var document: BucketSetup.Change.Document
        var state: BucketSetup.Change.State
        var written: Bool
        var difference: [String]
        var reason: String?
    }

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "An origin from which pages post, such as https://app.example.com; may be repeated (S3FILE_ORIGINS).")
    var origin: [String] = []

    @Flag(help: "Also the bucket policy: the least rights that web processes and workers need, for --principal.")
    var policy = false

    @Option(help: ArgumentHelp("With --policy: whom the rights are given to; may be repeated.", valueName: "arn"))
    var principal: [String] = []

    @Flag(help: "Write it.")
    var yes = false

    func validate() throws {
        guard self.policy != self.principal.isEmpty else {
            throw ValidationError("Say both or neither: --policy, and --principal arn:aws:iam::123456789012:role/my-app")
        }
        guard self.principal.allSatisfy({ $0.hasPrefix("arn:") }) else {
            throw ValidationError("--principal is an ARN, such as arn:aws:iam::123456789012:role/my-app")
        }
    }

    func run() async throws {
        let origins = self.origin.isEmpty ? nil : self.origin.joined(separator: ",")
        let configuration = try await self.settings.configuration(flags: [("s3file.origins", origins)], withoutDatabase: true)
        let lines = try await Connections.with(configuration, logger: self.settings.quietLogger) { connections in
            let setup = BucketSetup(
                client: connections.s3,
                configuration: configuration,
                principals: self.policy ? self.principal.sorted() : nil
            )
            var lines: [Line] = []
            // All is read before anything is written.
            for change in try await setup.plan() {
                var line = Line(
                    bucket: change.bucket,
                    document: change.document,
                    state: change.state,
                    written: false,
                    difference: change.state == .changed ? LineDifference.lines(from: change.before, to: change.after) : [],
                    reason: change.reason
                )
                try self.show(line)
                if self.yes, change.state == .changed {
                    try await setup.apply(change)
                    line.written = true
                    if !self.output.json { try StandardOutput.line("Written.") }
                }
                if self.output.json { try StandardOutput.json(line) }
                lines.append(line)
            }
            return lines
        }
        if configuration.origins.isEmpty {
            StandardError.line("No origins are set, so CORS is left as it is: --origin, or S3FILE_ORIGINS.")
        }
        let isDone = lines.allSatisfy { $0.state == .unchanged || $0.written }
        if !self.output.json {
            if lines.allSatisfy({ $0.state == .unchanged }) {
                try StandardOutput.line("Nothing to do.")
            } else if !self.yes {
                try StandardOutput.line("Nothing was written: say --yes.")
            }
        }
        if !isDone { throw ExitReason.problems.exit }
    }

    private func show(_ line: Line) throws {
        guard !self.output.json else { return }
        switch line.state {
        case .unchanged: return
        case .unknown:
            StandardError.line("This store keeps no \(line.document.rawValue) for \(line.bucket): \(line.reason ?? "")")
        case .changed:
            try StandardOutput.line("\(line.document.rawValue) of \(line.bucket):")
            for text in line.difference { try StandardOutput.line("  " + text) }
        }
    }
}
