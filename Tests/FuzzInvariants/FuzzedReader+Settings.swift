import Configuration
import Foundation
import S3DevServer
import S3File

extension FuzzedReader {
    private static let secrets: Set<String> = [
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DATABASE_URL", "S3FILE_DJANGO_SECRET", "S3FILE_LISTEN_URL",
        "S3FILE_SECRET",
    ]
    private static let password = "s3cr3t-of-the-environment"

    /// An environment, a setting a line, is taken or refused by name, and no refusal tells a secret. Rules of faults are read again from their text.
    static func checkSettings(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        var environment: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let halves = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else { continue }
            let isSecret = Self.secrets.contains(String(halves[0]))
            environment[String(halves[0])] = String(halves[1]).replacing("$SECRET", with: isSecret ? Self.password : "public")
        }
        do {
            let reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
            _ = try S3FileConfiguration(reader: reader, environment: [:])
        } catch let error as ConfigurationError {
            try require(!"\(error)".contains(Self.password), "a refusal tells a secret: \(error)")
        } catch {
            throw InvariantViolation("settings are refused with \(error)")
        }
        guard let rules = try? FaultRule.parse(text) else { return }
        let written = rules.map(\.description).joined(separator: "; ")
        let again = try? FaultRule.parse(written)
        try require(again == rules, "rules are written as \(written)")
    }
}
