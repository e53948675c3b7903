import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import S3
import S3File

/// Looks at the settings, Postgres and S3 as users will use them, and says what is wrong, why it matters and what mends it.
struct InstallationCheck: Sendable {
    let configuration: S3FileConfiguration
    let origins: [String]
    /// Refuses what only development may have, too.
    let deploy: Bool
    /// Makes small objects in the buckets, and removes them.
    let writes: Bool
    let logger: Logger

    func run(_ progress: ProgressLine) async throws -> CheckReport {
        progress.show("settings")
        var report = SettingsCheck(configuration: self.configuration).report(deploy: self.deploy)
        progress.show("Postgres")
        report.merge(await PostgresCheck(configuration: self.configuration, logger: self.logger).report(deploy: self.deploy))
        try Task.checkCancellation()
        let httpClient = HTTPClient(eventLoopGroupProvider: .singleton, configuration: S3Client.httpClientConfiguration())
        let result: Result<CheckReport, any Error>
        do {
            result = .success(try await self.store(httpClient, progress, report))
        } catch {
            result = .failure(error)
        }
        try? await httpClient.shutdown()
        report.merge(try result.get())
        report.findings.sort { ($0.id.level, $1.id.rawValue) > ($1.id.level, $0.id.rawValue) }
        return report
    }

    private func store(
        _ httpClient: HTTPClient,
        _ progress: ProgressLine,
        _ known: CheckReport
    ) async throws -> CheckReport {
        var report = CheckReport()
        report.note(longestWait: known.longestWait)
        progress.show("credentials")
        if self.deploy, !known.findings.contains(where: { $0.id == .devServer }), await self.endpointIsDevServer(httpClient) {
            report.findings.append(.devServer)
        }
        guard await CredentialsCheck(configuration: self.configuration, httpClient: httpClient).check(&report) else {
            return report
        }
        return try await Connections.with(self.configuration, logger: self.logger) { connections in
            var client = connections.s3
            client.retry = S3RetryPolicy(attempts: 2)
            if let url = try? client.publicOrigin(bucket: self.configuration.tmpBucket) {
                await ClockCheck.compare(s3: url, httpClient: httpClient, &report)
            }
            var usable: [String] = []
            for bucket in Set([self.configuration.tmpBucket, self.configuration.bucket]).sorted() {
                progress.show("bucket \(bucket)")
                let check = BucketCheck(client: client, configuration: self.configuration, bucket: bucket)
                guard await check.isUsable(&report) else { continue }
                usable.append(bucket)
                await check.check(deploy: self.deploy, &report)
                try Task.checkCancellation()
            }
            for bucket in usable { try await self.tryOut(bucket, client, httpClient, progress, &report) }
            let isAllThere = usable.count == Set([self.configuration.tmpBucket, self.configuration.bucket]).count
            if self.writes, isAllThere, !report.findings.contains(where: { $0.id == .bucketRights }) {
                progress.show("what the store honours")
                let configuration = self.configuration
                report.merge(
                    await Task { [client] in await CapabilityCheck(client: client, configuration: configuration).report() }.value
                )
            }
            return report
        }
    }

    /// What is found out by doing it.
    private func tryOut(
        _ bucket: String,
        _ client: S3Client,
        _ httpClient: HTTPClient,
        _ progress: ProgressLine,
        _ report: inout CheckReport
    ) async throws {
        let isTmp = bucket == self.configuration.tmpBucket
        let objects = CheckObjects(client: client, bucket: bucket, prefix: self.configuration.tmpPrefix)
        if isTmp {
            progress.show("preflights")
            await PreflightCheck(
                client: client,
                bucket: bucket,
                key: objects.key("part"),
                origins: self.origins,
                httpClient: httpClient
            ).check(&report)
        }
        guard self.writes else { return }
        try Task.checkCancellation()
        progress.show("rights in \(bucket)")
        // In a task of its own, awaited: a request that was sent and then given up could still be done, after all has been tidied up.
        report.merge(await Task { await self.write(objects, client, httpClient, progress) }.value)
        try Task.checkCancellation()
    }

    private func write(
        _ objects: CheckObjects,
        _ client: S3Client,
        _ httpClient: HTTPClient,
        _ progress: ProgressLine
    ) async -> CheckReport {
        var report = CheckReport()
        let limit = Date(timeIntervalSinceNow: -TimeInterval(CheckObjects.leftoverAge.components.seconds))
        try? await CheckObjects.sweep(
            client: client,
            bucket: objects.bucket,
            prefix: self.configuration.tmpPrefix,
            olderThan: limit
        )
        let rights = RightsCheck(client: client, configuration: self.configuration, objects: objects, httpClient: httpClient)
        if await rights.check(&report), objects.bucket == self.configuration.tmpBucket {
            progress.show("forms")
            await FormCheck(client: client, objects: objects, httpClient: httpClient).check(origin: self.origins.first, &report)
        }
        if let left = await objects.remove() {
            report.add(
                .lesserRights,
                "What this check made below s3://\(objects.bucket)/\(objects.folder)/ could not be removed: \(left).",
                remedy: "aws s3 rm --recursive s3://\(objects.bucket)/\(objects.folder)/"
            )
        }
        return report
    }

    /// The development server says its name in every answer.
    private func endpointIsDevServer(_ httpClient: HTTPClient) async -> Bool {
        guard let endpoint = self.configuration.endpointURL else { return false }
        let response = try? await httpClient.execute(HTTPClientRequest(url: endpoint), timeout: .seconds(5))
        return response?.headers.first(name: "server") == "S3DevServer"
    }
}
