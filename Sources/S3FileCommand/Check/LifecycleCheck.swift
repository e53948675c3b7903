import S3
import S3File

/// Whether the store's own clean-up leaves alone what is still needed, and takes what nobody else does.
struct LifecycleCheck: Sendable {
    let configuration: S3FileConfiguration
    let bucket: String
    let isTmp: Bool
    let isVersioned: Bool
    let rules: [S3LifecycleRule]
    /// For how long the oldest upload has been waiting for a worker.
    var longestWait = Duration.zero

    /// How long a tmp object may be needed at most: it may be as old as the sweep lets it grow when its form is posted; may then be tried for
    /// as long as all attempts take; and is kept for a week when they were in vain.
    static func longestNeed(_ configuration: S3FileConfiguration, longestWait: Duration = .zero) -> Duration {
        configuration.expiry + longestWait + Self.longestQueue + UploadQueue.failedLifetime
    }

    /// Twelve attempts, with a backoff of an hour at most, and an hour each.
    private static let longestQueue = Duration.seconds(24 * 3_600)

    /// In whole days, and one more: a store counts from the midnight after.
    static func leastDays(_ configuration: S3FileConfiguration, longestWait: Duration = .zero) -> Int {
        Int((Self.longestNeed(configuration, longestWait: longestWait).components.seconds + 86_399) / 86_400) + 1
    }

    func check(_ report: inout CheckReport) {
        let prefix = self.configuration.tmpPrefix + "/"
        let setup = "s3file bucket setup --yes"
        let least = Self.leastDays(self.configuration, longestWait: self.longestWait)
        if self.isTmp {
            // A rule of a longer prefix deletes some of them.
            let expiring = self.rules.filter { rule in
                rule.isEnabled && rule.expirationDays != nil
                    && (rule.covers(prefix) || rule.prefix.utf8.starts(with: prefix.utf8))
            }
            for rule in expiring {
                guard let days = rule.expirationDays, days < least else { continue }
                report.add(
                    .expiresTooEarly,
                    "The rule \"\(rule.id)\" of the bucket \(self.bucket) deletes tmp objects after \(days) day\(days == 1 ? "" : "s"); "
                        + "files may wait, be tried and be kept for \(least).",
                    remedy: "Give it \(least) days or more, or take it away: \(setup) writes one of its own."
                )
            }
            if !expiring.contains(where: { $0.covers(prefix) }) {
                report.add(
                    .noExpiry,
                    "No lifecycle rule of the bucket \(self.bucket) expires objects below \(prefix).",
                    remedy: setup
                )
            }
            if self.isVersioned, !self.rules.contains(where: { $0.covers(prefix) && $0.noncurrentExpirationDays != nil }) {
                report.add(
                    .versionsStay,
                    "The bucket \(self.bucket) keeps versions, and no rule deletes the old ones below \(prefix).",
                    remedy: setup
                )
            }
        }
        // Stored files may be anywhere but in the tmp prefix.
        if self.bucket == self.configuration.bucket {
            let location = self.configuration.location.isEmpty ? "" : self.configuration.location + "/"
            for rule in self.rules where rule.expirationDays != nil && rule.covers(location) {
                report.add(
                    .expiresStored,
                    "The rule \"\(rule.id)\" of the bucket \(self.bucket) deletes everything below \"\(rule.prefix)\" after "
                        + "\(rule.expirationDays ?? 0) days, stored files, too.",
                    remedy: "Limit it to a prefix of its own, such as \(prefix)"
                )
            }
        }
        let folders =
            (self.isTmp ? [prefix] : []) + (self.bucket == self.configuration.bucket ? [self.configuration.location] : [])
        if !folders.allSatisfy({ folder in self.rules.contains { $0.abortDays != nil && $0.covers(folder) } }) {
            report.add(
                .noAbort,
                "No lifecycle rule of the bucket \(self.bucket) gives up multipart uploads that nobody finishes.",
                remedy: setup
            )
        }
    }
}
