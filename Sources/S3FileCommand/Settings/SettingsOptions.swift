import ArgumentParser
import Configuration
import Foundation
import Logging
import S3File
import S3FileObservability
import SystemPackage

/// The settings that every command shares: flags before the environment before the file.
struct SettingsOptions: ParsableArguments {
    @Option(help: "Postgres, such as postgresql://user@host/database (DATABASE_URL).")
    var databaseURL: String?

    @Option(help: "The bucket of the uploads (S3FILE_BUCKET).")
    var bucket: String?

    @Option(help: "The bucket's region (AWS_REGION).")
    var region: String?

    @Option(help: "S3 other than AWS, such as http://127.0.0.1:9000 (AWS_ENDPOINT_URL_S3).")
    var endpointURL: String?

    @Option(help: "development or production (S3FILE_ENVIRONMENT).")
    var environment: String?

    @Option(help: "A JSON file of settings (S3FILE_CONFIG); s3file.json in this folder is read when it is there.")
    var config: String?

    @Option(
        help: "How much is logged (S3FILE_LOG_LEVEL): info in worker and serve, error in commands that answer, unless it is set."
    )
    var logLevel: LogLevel?

    @Option(help: "text or json, an object a line (S3FILE_LOG_FORMAT); text unless it is set.")
    var logFormat: LogFormatName?

    /// - Parameter flags: of one command alone.
    /// - Throws: ``ConfigurationError`` when the file cannot be read.
    func reader(flags: [(AbsoluteConfigKey, String?)] = []) async throws -> ConfigReader {
        let reader = ConfigReader(providers: try await self.sources(flags: flags).map(\.provider))
        for key in Secrets.keys {
            if let secret = reader.text(forKey: key, isSecret: true) { Secrets.remember(secret) }
        }
        return reader
    }

    /// Where settings are looked for, in this order.
    func sources(flags: [(AbsoluteConfigKey, String?)] = []) async throws -> [(name: String, provider: any ConfigProvider)] {
        let flags: [(AbsoluteConfigKey, String?)] =
            flags + [
                ("database.url", self.databaseURL), ("s3file.bucket", self.bucket), ("aws.region", self.region),
                ("aws.endpointUrlS3", self.endpointURL), ("s3file.environment", self.environment), ("s3file.config", self.config),
                ("s3file.logFormat", self.logFormat?.rawValue), ("s3file.logLevel", self.logLevel?.rawValue),
            ]
        let values = flags.compactMap { key, value in
            value.map { (key, ConfigValue(.string($0), isSecret: key == "database.url")) }
        }
        let named = self.config ?? ProcessInfo.processInfo.environment["S3FILE_CONFIG"]
        let path = named ?? "s3file.json"
        let file: FileProvider<JSONSnapshot>
        do {
            file = try await FileProvider<JSONSnapshot>(filePath: FilePath(path), allowMissing: named == nil)
        } catch {
            throw ConfigurationError("The settings file \(path) cannot be read as JSON: check the path and its content")
        }
        return [
            ("flag", InMemoryProvider(name: "flags", values: Dictionary(values) { first, _ in first })),
            ("environment", EnvironmentVariablesProvider(secretsSpecifier: .specific(Set(Secrets.variables)))),
            (path, file),
        ]
    }

    /// Everything, for commands that talk to both Postgres and S3.
    ///
    /// - Parameter withoutDatabase: the command does not talk to Postgres, so that none need be set.
    func configuration(
        flags: [(AbsoluteConfigKey, String?)] = [],
        withoutDatabase: Bool = false
    ) async throws -> S3FileConfiguration {
        var flags = flags
        if withoutDatabase {
            let url = try await self.reader().string(forKey: "database.url", isSecret: true) ?? ""
            if url.isEmpty { flags.append(("database.url", "postgresql:///none")) }
        }
        return try S3FileConfiguration(reader: try await self.reader(flags: flags))
    }

    /// Postgres alone, for commands that need nothing else.
    func requiredDatabaseURL() async throws -> String {
        guard let url = try await self.reader().string(forKey: "database.url", isSecret: true), !url.isEmpty else {
            throw ConfigurationError("DATABASE_URL is not set: set it to your Postgres, such as postgresql://user@host/database")
        }
        return url
    }

    /// Of commands that end by themselves: what the environment says wrongly is not worth failing for there.
    var logger: Logger { self.logger(otherwise: .info) }

    /// Of commands that answer: the answer, or the sentence at the end, says what went wrong.
    var quietLogger: Logger { self.logger(otherwise: .error) }

    private func logger(otherwise level: Logger.Level) -> Logger {
        let environment = ProcessInfo.processInfo.environment
        let format = LogFormat(rawValue: self.logFormat?.rawValue ?? environment["S3FILE_LOG_FORMAT"] ?? "") ?? .text
        let name = self.logLevel?.rawValue ?? environment["S3FILE_LOG_LEVEL"] ?? ""
        return format.logger(label: "s3file", level: Logger.Level(rawValue: name) ?? level)
    }

    /// For commands that run for long: by `s3file.logFormat` (S3FILE_LOG_FORMAT) and `s3file.logLevel` (S3FILE_LOG_LEVEL), too.
    ///
    /// - Throws: ``ConfigurationError`` naming the setting.
    func logger(reader: ConfigReader) throws -> Logger {
        let formatName = self.logFormat?.rawValue ?? reader.string(forKey: "s3file.logFormat") ?? ""
        guard let format = formatName.isEmpty ? .text : LogFormat(rawValue: formatName) else {
            throw ConfigurationError("S3FILE_LOG_FORMAT is \"\(formatName)\": set it to text or json")
        }
        let levelName = self.logLevel?.rawValue ?? reader.string(forKey: "s3file.logLevel") ?? ""
        guard let level = levelName.isEmpty ? .info : Logger.Level(rawValue: levelName) else {
            throw ConfigurationError(
                "S3FILE_LOG_LEVEL is \"\(levelName)\": set it to \(LogLevel.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return format.logger(label: "s3file", level: level)
    }
}

/// The formats of log lines, as an option's values.
enum LogFormatName: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// swift-log's levels, as an option's values.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}
