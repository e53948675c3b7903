import ArgumentParser
import S3File

/// `s3file check`: looks before users do.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the settings, Postgres and S3.",
        discussion: "Prints a line a finding, each with a stable id. Exits with 1 when there is an error."
    )

    @OptionGroup var settings: SettingsOptions

    @Flag(help: "Also refuse what only development may have: the dev S3 server, the default secret.")
    var deploy = false

    func run() async throws {
        let configuration = try await self.settings.configuration()
        let findings = await DeployCheck(configuration: configuration, logger: self.settings.logger).run(deploy: self.deploy)
        for finding in findings { print(finding) }
        guard findings.isEmpty else { throw ExitCode(1) }
        print("No problems found.")
    }
}
