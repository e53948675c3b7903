import Foundation
import S3File

/// What the settings alone show.
struct SettingsCheck: Sendable {
    let configuration: S3FileConfiguration

    /// What is for development only. `worker` and `serve` in production refuse to start with any of these.
    static func developmentFindings(_ configuration: S3FileConfiguration) -> [Finding] {
        var findings: [Finding] = []
        if configuration.accessKeyID == S3FileConfiguration.developmentAccessKeyID { findings.append(.devServer) }
        if configuration.secrets.contains(where: { $0.hasPrefix(S3FileConfiguration.developmentSecretPrefix) }) {
            findings.append(.defaultSecret)
        }
        return findings
    }

    /// - Throws: ``ConfigurationError`` when this is production and something is for development only.
    static func refuseDevelopment(_ configuration: S3FileConfiguration) throws {
        guard configuration.environment == .production, let first = Self.developmentFindings(configuration).first else { return }
        throw ConfigurationError(first.description)
    }

    func report(deploy: Bool) -> CheckReport {
        var report = CheckReport()
        if deploy || self.configuration.environment == .production {
            report.findings += Self.developmentFindings(self.configuration)
        }
        if deploy {
            if self.configuration.environment != .production {
                report.add(.developmentEnvironment, "S3FILE_ENVIRONMENT is development.", remedy: "S3FILE_ENVIRONMENT=production")
            }
            if self.configuration.endpointURL?.lowercased().hasPrefix("http://") ?? false {
                report.add(
                    .plainS3,
                    "The endpoint of S3 begins with http://.",
                    remedy: "Set AWS_ENDPOINT_URL_S3 to the store's https:// address."
                )
            }
        }
        self.checkSecrets(&report)
        self.checkLifetimes(&report)
        return report
    }

    private static let newSecret = "S3FILE_SECRET=\"$(openssl rand -base64 48)\""

    private func checkSecrets(_ report: inout CheckReport) {
        let secrets = self.configuration.secrets
        if let short = secrets.map(\.utf8.count).filter({ $0 < SigningKeys.minimumSecretBytes }).min() {
            report.add(
                .shortSecret,
                "S3FILE_SECRET has a secret of \(short) bytes; \(SigningKeys.minimumSecretBytes) are the least.",
                remedy: Self.newSecret
            )
        }
        var weak: [String] = []
        // Random text of 32 characters has some 20 different ones, and never fewer than 10.
        if secrets.contains(where: { Set($0.utf8).count < 10 }) { weak.append("one has few different characters") }
        if Set(secrets).count < secrets.count { weak.append("one is there twice") }
        if secrets.count > 3 {
            weak.append("there are \(secrets.count): those that signed nothing for eight days can go")
        }
        if let django = self.configuration.djangoSecret, secrets.contains(django) {
            weak.append("one is S3FILE_DJANGO_SECRET, too")
        }
        if let key = self.configuration.secretAccessKey, secrets.contains(key) {
            weak.append("one is AWS_SECRET_ACCESS_KEY, too")
        }
        guard !weak.isEmpty else { return }
        report.add(
            .weakSecret,
            "Of the secrets in S3FILE_SECRET, \(weak.joined(separator: "; ")).",
            remedy:
                "Append a new one, S3FILE_SECRET=\"$OLD,$(openssl rand -base64 48)\", then put it first, and take the old one away when no "
                + "open page needs it."
        )
    }

    private func checkLifetimes(_ report: inout CheckReport) {
        if self.configuration.policyLifetime > self.configuration.ticketLifetime {
            report.add(
                .lifetimes,
                "S3FILE_POLICY_MINUTES is longer than S3FILE_TICKET_HOURS: forms could be posted to S3 that no page brings back.",
                remedy: "Set S3FILE_POLICY_MINUTES to 60, or to what the ticket has at most."
            )
        }
    }
}

extension Finding {
    static let devServer = Finding(
        .devServer,
        "S3 is the development server, which is for one machine only.",
        remedy: "Point AWS_ENDPOINT_URL_S3 at a real S3, or unset it for AWS, with the keys of your own."
    )
    static let defaultSecret = Finding(
        .defaultSecret,
        "S3FILE_SECRET is the development default.",
        remedy: "S3FILE_SECRET=\"$(openssl rand -base64 48)\""
    )
}
