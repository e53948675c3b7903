import S3
import S3File

/// What the store honours of the conditions that moves rely on, where it does.
struct CapabilityCheck: Sendable {
    let client: S3Client
    let configuration: S3FileConfiguration

    func report() async -> CheckReport {
        var report = CheckReport()
        do {
            let capabilities = try await S3CapabilityProbe(
                client: self.client,
                sourceBucket: self.configuration.tmpBucket,
                bucket: self.configuration.bucket,
                prefix: self.configuration.tmpPrefix
            ).run()
            report.written += 10
            report.note("store", "honours \(capabilities)")
            if !capabilities.copySourceIfMatch, !capabilities.sourceVersions {
                report.add(
                    .weakFence,
                    "The store copies a source that changed, although it is told not to.",
                    remedy:
                        "Nothing has to be done: workers look at source and copy instead. A newer version of the store may honour it."
                )
            }
        } catch {
            report.add(
                .notLookedAt,
                "The store could not be asked what it honours: \(Failure(error).sentence)",
                remedy: "Run this again."
            )
        }
        return report
    }
}
