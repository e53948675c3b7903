import ArgumentParser
import Configuration
import S3File

/// `s3file check`: looks before users do.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the settings, Postgres and S3, and say what mends what is wrong.",
        discussion: """
            Does what browsers and workers do: asks preflights for each origin, posts good and bad forms, and tries each right that is needed. \
            For that it writes some twenty objects of a few bytes below tmp/s3file/.check/ and .capabilities/, and removes them; with --no-write \
            it only reads. Each finding has an id that stays: errors s3file.E…, warnings s3file.W…. Exits with 0 when there is none, 5 when \
            there are warnings only (0 with --fail-level error), 2 when there is an error.
            """
    )

    /// From which level on the command fails.
    enum FailLevel: String, ExpressibleByArgument, CaseIterable {
        case warning, error
    }

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Also refuse what only development may have: the dev S3 server, the default secret, connections without TLS.")
    var deploy = false

    @Flag(inversion: .prefixedNo, help: "Write small objects into the buckets, and remove them.")
    var write = true

    @Option(help: "An origin from which pages post, such as https://app.example.com; may be repeated (S3FILE_ORIGINS).")
    var origin: [String] = []

    @Option(help: "Exit with 0 unless there is one of at least this level.")
    var failLevel = FailLevel.warning

    func run() async throws {
        let origins = self.origin.isEmpty ? nil : self.origin.joined(separator: ",")
        let configuration = try await self.settings.configuration(flags: [("s3file.origins", origins)])
        let check = InstallationCheck(
            configuration: configuration,
            origins: configuration.origins,
            deploy: self.deploy,
            writes: self.write,
            logger: self.settings.quietLogger
        )
        let report = try await ProgressLine.with { progress in
            try await Interruption.cancelling { try await check.run(progress) }
        }
        if self.output.json {
            try StandardOutput.json(report)
        } else {
            for fact in report.facts { try StandardOutput.line("\(fact.about): \(fact.text)") }
            if report.written > 0 { try StandardOutput.line("Wrote \(report.written) small objects, and removed them.") }
            if !report.facts.isEmpty { try StandardOutput.line("") }
            for finding in report.findings { try StandardOutput.line(finding.lines.joined(separator: "\n")) }
            if report.findings.isEmpty { try StandardOutput.line("No problems found.") }
        }
        switch report.level {
        case .error: throw ExitReason.problems.exit
        case .warning where self.failLevel == .warning: throw ExitReason.warnings.exit
        case .warning, nil: return
        }
    }
}
