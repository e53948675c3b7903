import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import S3
import S3DevServer
import S3File

/// Looks at the settings, Postgres and S3, and says what is wrong in sentences.
struct DeployCheck: Sendable {
    let configuration: S3FileConfiguration
    let logger: Logger

    /// What the settings alone show to be for development only. A worker in production refuses to start with any of these.
    static func settingsFindings(_ configuration: S3FileConfiguration) -> [Finding] {
        var findings: [Finding] = []
        if configuration.accessKeyID == S3FileConfiguration.developmentAccessKeyID { findings.append(.devServer) }
        if configuration.secrets.contains(where: { $0.hasPrefix(S3FileConfiguration.developmentSecretPrefix) }) {
            findings.append(.defaultSecret)
        }
        return findings
    }

    func run(deploy: Bool) async -> [Finding] {
        var findings: [Finding] = []
        if deploy {
            findings += Self.settingsFindings(self.configuration)
            if !findings.contains(.devServer), await self.endpointIsDevServer() { findings.append(.devServer) }
            if self.configuration.environment != .production { findings.append(.developmentEnvironment) }
        }
        findings += await self.databaseFindings()
        findings += await self.bucketFindings()
        return findings.sorted { $0.id < $1.id }
    }

    /// The development server says its name in every answer.
    private func endpointIsDevServer() async -> Bool {
        guard let endpoint = self.configuration.endpointURL else { return false }
        let response = try? await HTTPClient.shared.execute(HTTPClientRequest(url: endpoint), timeout: .seconds(5))
        return response?.headers.first(name: "server") == "S3DevServer"
    }

    private func databaseFindings() async -> [Finding] {
        do {
            let migrations = try await Database.with(self.configuration.databaseURL, logger: self.logger) { client in
                try await Migrator.uploads(client).status()
            }
            let missing = migrations.count { $0.state == .pending }
            // A newer version that leaves this one working is what a roll-out looks like.
            let odd = migrations.filter { $0.isRefused && $0.state.isBreaking != false }
            return (missing == 0 ? [] : [.notMigrated(missing)]) + (odd.isEmpty ? [] : [.otherTables(odd.map(\.version))])
        } catch {
            return [.database("\(error).")]
        }
    }

    private func bucketFindings() async -> [Finding] {
        do {
            try await Connections.with(self.configuration, logger: self.logger) { connections in
                for bucket in Set([self.configuration.bucket, self.configuration.tmpBucket]) {
                    try await connections.s3.headBucket(bucket)
                }
            }
            return []
        } catch {
            return [.bucket("\(error).")]
        }
    }
}
