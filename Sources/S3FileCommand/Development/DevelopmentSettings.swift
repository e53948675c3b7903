import Configuration
import S3File

/// The settings that lead to a development server's parts, in the names that every command of ours and every app reads.
struct DevelopmentSettings: Sendable {
    static let region = "us-east-1"
    static let bucket = "s3file-dev"

    /// What the environment of a child changes; `nil` takes a variable away.
    let changes: [String: String?]
    /// The whole environment after the changes.
    let environment: [String: String]

    /// The same settings for what runs in this process.
    func configuration() throws -> S3FileConfiguration { try S3FileConfiguration(reader: self.reader) }

    /// Where the worker answers probes and Prometheus, if it shall.
    func health() throws -> HealthSettings? { try HealthSettings(reader: self.reader) }

    private var reader: ConfigReader {
        ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: self.environment))
    }

    static func hasDatabase(_ environment: [String: String]) -> Bool {
        environment["DATABASE_URL"].map { !$0.isEmpty } ?? false
    }

    static func hasS3(_ environment: [String: String]) -> Bool {
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].contains { environment[$0].map { !$0.isEmpty } ?? false }
    }

    init(inherited: [String: String], databaseURL: String?, s3Port: LoopbackPort?, port: LoopbackPort?, secret: String) {
        var changes: [String: String?] = ["S3FILE_ENVIRONMENT": "development"]
        changes["S3FILE_SECRET"] = inherited["S3FILE_SECRET"] ?? secret
        changes["AWS_REGION"] = inherited["AWS_REGION"] ?? Self.region
        changes["S3FILE_BUCKET"] = inherited["S3FILE_BUCKET"] ?? Self.bucket
        if let databaseURL {
            changes["DATABASE_URL"] = databaseURL
        }
        if let s3Port {
            changes["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:\(s3Port)"
            changes["AWS_ACCESS_KEY_ID"] = S3FileConfiguration.developmentAccessKeyID
            changes["AWS_SECRET_ACCESS_KEY"] = S3FileConfiguration.developmentSecretAccessKey
            changes["AWS_REGION"] = Self.region
            // Of somebody's real account: they would not fit the development server.
            for name in [
                "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_PROFILE", "S3FILE_PUBLIC_ENDPOINT_URL", "S3FILE_ADDRESSING",
            ] {
                changes.updateValue(nil, forKey: name)
            }
        }
        if let port {
            changes["S3FILE_HOST"] = "127.0.0.1"
            changes["S3FILE_PORT"] = "\(port)"
        }
        self.changes = changes
        self.environment = inherited.merging(changes.compactMapValues { $0 }) { _, new in new }
            .filter { name, _ in changes[name].map { $0 != nil } ?? true }
    }
}

extension DevelopmentSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the values, secrets among them.
    var description: String { "DevelopmentSettings(\(self.changes.keys.sorted().joined(separator: ", ")))" }
    var debugDescription: String { self.description }
    var customMirror: Mirror { Mirror(self, children: ["changes": self.changes.keys.sorted()]) }
}
