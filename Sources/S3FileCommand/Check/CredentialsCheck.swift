import AsyncHTTPClient
import Foundation
import S3
import S3File

/// Where the credentials come from, and for how long they live.
struct CredentialsCheck: Sendable {
    let configuration: S3FileConfiguration
    let httpClient: HTTPClient

    /// - Returns: whether there are any.
    func check(_ report: inout CheckReport) async -> Bool {
        guard self.configuration.credentials == .standardChain else {
            report.note("credentials", "\(self.configuration.credentials), of the settings")
            if self.hasSessionToken {
                report.add(
                    .endingCredentials,
                    "AWS_SESSION_TOKEN is set: these keys are temporary, and nothing renews them.",
                    remedy:
                        "Unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN where a role or profile can be had."
                )
            }
            return true
        }
        let chain = CredentialsChain.standard(
            environment: ProcessInfo.processInfo.environment,
            region: self.configuration.region,
            transport: CredentialsTransport(httpClient: self.httpClient, clock: ServerClock())
        )
        do {
            let (credentials, source) = try await chain.located()
            let end = credentials.expiration.map { ", renewed before \($0.text)" } ?? ""
            report.note("credentials", "the access key \(credentials.accessKeyID), from \(source)\(end)")
            if let expiration = credentials.expiration {
                let life = expiration.timeIntervalSinceNow
                let policy = TimeInterval(self.configuration.policyLifetime.components.seconds)
                if life < 60 {
                    report.add(.endedCredentials, "The credentials from \(source) end now.", remedy: "Look at \(source).")
                } else if life < policy {
                    report.add(
                        .lifetimes,
                        "The credentials have \(Int(life / 60)) minutes left, and S3FILE_POLICY_MINUTES says \(Int(policy / 60)): forms end with the credentials.",
                        remedy: "Set S3FILE_POLICY_MINUTES below the life of the role's session, or make that longer."
                    )
                }
            }
            return true
        } catch {
            report.add(
                .noCredentials,
                "No credentials for S3 could be had: \(error).",
                remedy: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is given."
            )
            return false
        }
    }

    private var hasSessionToken: Bool {
        if case .keys(_, _, let token?) = self.configuration.credentials { !token.isEmpty } else { false }
    }
}
