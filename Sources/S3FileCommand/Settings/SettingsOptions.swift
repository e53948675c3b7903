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

    @Option(help: "How much is logged (S3FILE_LOG_LEVEL); info unless it is set.")
    var logLevel: LogLevel?

    @Option(help: "text or json, an object a line (S3FILE_LOG_FORMAT); text unless it is set.")
    var logFormat: LogFormatName?

    /// - Parameter flags: of one command alone.
    /// - Throws: ``ConfigurationError`` when the file cannot be read.
    func reader(flags: [(AbsoluteConfigKey, String?)] = []) async throws -> ConfigReader {
        let flags: [(AbsoluteConfigKey, String?)] =
            flags + [
                ("database.url", self.databaseURL), ("s3file.bucket", self.bucket), ("aws.region", self.region),
                ("aws.endpointUrlS3", self.endpointURL), ("s3file.environment", self.environment),
            ]
        let values = flags.compactMap { key, value in
            value.map { (key, ConfigValue(.string($0), isSecret: key == "database.url")) }
        }
        let named = self.config ?? ProcessInfo.processInfo.environment["S3FILE_CONFIG"]
        let file: FileProvider<JSONSnapshot>
        do {
            file = try await FileProvider<JSONSnapshot>(filePath: FilePath(named ?? "s3file.json"), allowMissing: named == nil)
        } catch {
            throw ConfigurationError(
                "The settings file \(named ?? "s3file.json") cannot be read as JSON: check the path and its content"
            )
        }
        let reader = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(uniqueKeysWithValues: values)),
            EnvironmentVariablesProvider(secretsSpecifier: .specific(Set(Secrets.variables))),
            file,
        ])
        for key in Secrets.keys {
            if let secret = reader.string(forKey: key, isSecret: true) { Secrets.remember(secret) }
        }
        return reader
    }

    /// Everything, for commands that talk to both Postgres and S3.
    func configuration(flags: [(AbsoluteConfigKey, String?)] = []) async throws -> S3FileConfiguration {
        try S3FileConfiguration(reader: try await self.reader(flags: flags))
    }

    /// Postgres alone, for commands that need nothing else.
    func requiredDatabaseURL() async throws -> String {
        guard let url = try await self.reader().string(forKey: "database.url", isSecret: true), !url.isEmpty else {
            throw ConfigurationError("DATABASE_URL is not set: set it to your Postgres, such as postgresql://user@host/database")
        }
        return url
    }

    /// For commands that end by themselves: what the environment says wrongly is not worth failing for there.
    var logger: Logger {
        let environment = ProcessInfo.processInfo.environment
        let formatName = self.logFormat?.rawValue ?? environment["S3FILE_LOG_FORMAT"] ?? ""
        let format = LogFormat(rawValue: formatName) ?? .text
        let level = self.logLevel?.rawValue ?? environment["S3FILE_LOG_LEVEL"] ?? ""
        return format.logger(label: "s3file", level: Logger.Level(rawValue: level) ?? .info)
    }

    /// For a command that says itself what it did: what a worker would tell of the same work is left out, unless more is asked for.
    var quietLogger: Logger {
        var logger = self.logger
        if logger.logLevel == .info { logger.logLevel = .notice }
        return logger
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
