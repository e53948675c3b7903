import ArgumentParser
import Configuration
import S3File

/// `s3file config`: what the other commands would go by.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show the settings, and where each comes from.",
        discussion: """
            Flags go before the environment, the environment before the settings' file. Secrets are shown as "set". Connects to nothing. Exits \
            with 78 when the settings cannot be used, after it has shown them.
            """
    )

    /// One setting.
    private struct Line: Encodable {
        var name: String
        /// "set" for a secret.
        var value: String?
        /// `flag`, `environment`, the file's path, or `default`.
        var source: String
        var secret: Bool
    }

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let sources = try await self.settings.sources().map { ($0.name, ConfigReader(providers: [$0.provider])) }
        let lines = KnownSetting.all.map { setting in
            for (name, reader) in sources {
                if let text = setting.text(in: reader) {
                    let value = setting.isSecret ? "set" : Secrets.withoutLookalikes(text)
                    return Line(name: setting.name, value: value, source: name, secret: setting.isSecret)
                }
            }
            return Line(
                name: setting.name,
                value: setting.fallback.isEmpty ? nil : setting.fallback,
                source: "default",
                secret: setting.isSecret
            )
        }
        if self.output.json {
            for line in lines { try StandardOutput.json(line) }
        } else {
            var table = TextTable([("setting", .left), ("value", .left), ("from", .left)])
            for line in lines { table.add([line.name, line.value ?? "", line.value == nil ? "" : line.source]) }
            try StandardOutput.line(table.lines().joined(separator: "\n"))
        }
        // Whoever asks how things are set wants to know when they cannot be.
        _ = try await self.settings.configuration()
    }
}
