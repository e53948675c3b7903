import S3
import Testing

@testable import S3File
@testable import S3FileCommand

/// What counts as too early, and what as covered.
@Suite struct LifecycleCheckTests {
    private func findings(
        _ rules: [S3LifecycleRule],
        waiting: Duration = .zero,
        isVersioned: Bool = false,
        isTmp: Bool = true,
        tmpBucket: String? = nil
    ) throws -> [String] {
        let configuration = try S3FileConfiguration(
            databaseURL: "postgresql:///x",
            bucket: "media",
            tmpBucket: tmpBucket,
            secrets: [S3FileConfiguration.developmentSecret]
        )
        var report = CheckReport()
        LifecycleCheck(
            configuration: configuration,
            bucket: isTmp ? configuration.tmpBucket : configuration.bucket,
            isTmp: isTmp,
            isVersioned: isVersioned,
            rules: rules,
            longestWait: waiting
        ).check(&report)
        return report.findings.map(\.id.rawValue)
    }

    private let good = [
        S3LifecycleRule(id: "a", prefix: "tmp/s3file/", expirationDays: 17), S3LifecycleRule(id: "b", prefix: "", abortDays: 10),
    ]

    @Test func `rules that are long enough are good, until a queue is so late that they are not`() throws {
        #expect(try self.findings(self.good) == [])
        #expect(try self.findings(self.good, waiting: .seconds(6 * 86_400)) == [])
        #expect(try self.findings(self.good, waiting: .seconds(8 * 86_400)) == ["s3file.E017"])
    }

    @Test func `a day of expiry, one of tries, a week of failed ones and one for the store's midnight are the least`() throws {
        #expect(try self.findings([S3LifecycleRule(id: "a", prefix: "tmp/", expirationDays: 10)] + self.good.dropFirst()) == [])
        #expect(
            try self.findings([S3LifecycleRule(id: "a", prefix: "tmp/", expirationDays: 9)] + self.good.dropFirst())
                == ["s3file.E017"]
        )
    }

    @Test func `a rule of a longer prefix deletes too early, and expires not all`() throws {
        let part = S3LifecycleRule(id: "a", prefix: "tmp/s3file/x", expirationDays: 1)
        #expect(try self.findings([part] + self.good.dropFirst()) == ["s3file.E017", "s3file.W009"])
    }

    @Test func `rules that are disabled, or for some objects only, count for nothing`() throws {
        var disabled = self.good[0]
        disabled.isEnabled = false
        var tagged = self.good[0]
        tagged.isConditional = true
        for rule in [disabled, tagged] { #expect(try self.findings([rule] + self.good.dropFirst()) == ["s3file.W009"]) }
    }

    @Test func `in a bucket of stored files alone only what deletes these is wrong`() throws {
        #expect(try self.findings([self.good[1]], isTmp: false, tmpBucket: "inbox") == [])
        let all = S3LifecycleRule(id: "all", prefix: "", expirationDays: 365)
        #expect(try self.findings([all, self.good[1]], isTmp: false, tmpBucket: "inbox") == ["s3file.E018"])
        #expect(try self.findings([], isTmp: false, tmpBucket: "inbox") == ["s3file.W010"])
    }

    @Test func `old versions must go, too`() throws {
        #expect(try self.findings(self.good, isVersioned: true) == ["s3file.W011"])
        var rule = self.good[0]
        rule.noncurrentExpirationDays = 1
        #expect(try self.findings([rule, self.good[1]], isVersioned: true) == [])
    }
}
