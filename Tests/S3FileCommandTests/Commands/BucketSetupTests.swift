import Foundation
import S3
import TestEnvironment
import Testing

@testable import S3FileCommand

/// `s3file bucket setup`, on each store.
@Suite(.timeLimit(.minutes(3))) struct BucketSetupTests {
    private static let theirCORS = S3CORSRule(id: "theirs", allowedOrigins: ["https://shop.example.com"], allowedMethods: ["GET"])
    private static let theirLifecycle = S3LifecycleRule(id: "their rule", prefix: "logs/", expirationDays: 30)

    private func run(_ here: StoreBucket) -> CommandLineRun {
        var run = CommandLineRun(
            url: "",
            endpoint: here.endpoint,
            accessKeyID: here.credentials.accessKeyID,
            secretAccessKey: here.credentials.secretAccessKey,
            bucket: here.name
        )
        run.settings["DATABASE_URL"] = String?.none
        run.settings["S3FILE_ORIGINS"] = "https://app.example.com,https://admin.example.com"
        return run
    }

    @Test(arguments: KnownStore.available)
    func `it is shown, then written beside what others set, and then there is nothing to do`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let s3file = self.run(here)
            try await here.client.putBucketCORS(here.name, rules: [Self.theirCORS])
            try await here.client.putBucketLifecycle(here.name, rules: [Self.theirLifecycle.element])

            let shown = try await s3file("bucket", "setup")
            #expect(shown.code == 2 && shown.text.contains("Nothing was written: say --yes."), "\(shown.text)")
            #expect(shown.text.contains("  +   AllowedOrigin: https://admin.example.com"), "\(shown.text)")
            #expect(shown.text.contains("  +   ID: s3file-tmp") && !shown.text.contains("  - "), "\(shown.text)")
            #expect(try await here.client.bucketCORS(here.name).count == 1)

            let written = try await s3file("bucket", "setup", "--yes", "--json")
            #expect(written.code == 0 && written.text.matches(of: /"written":true/).count == 2, "\(written.text)")
            let cors = try await here.client.bucketCORS(here.name).map(S3CORSRule.init)
            #expect(cors.contains { $0.isEquivalent(to: Self.theirCORS) } && cors.count == 2, "\(cors)")
            let lifecycle = try await here.client.bucketLifecycle(here.name).map(S3LifecycleRule.init)
            #expect(lifecycle.contains(Self.theirLifecycle) && lifecycle.count == 3, "\(lifecycle)")
            let again = try await s3file("bucket", "setup", "--yes")
            #expect(again.code == 0 && again.text == "Nothing to do.", "\(again.text)")

            // Another origin replaces ours, and theirs stays.
            let other = try await s3file("bucket", "setup", "--yes", "--origin", "https://new.example.com")
            #expect(other.code == 0 && other.text.contains("  -   AllowedOrigin: https://app.example.com"), "\(other.text)")
            let changed = try await here.client.bucketCORS(here.name).map(S3CORSRule.init)
            #expect(changed.count == 2 && changed.contains { $0.allowedOrigins == ["https://new.example.com"] })
        }
    }

    @Test(arguments: KnownStore.available)
    func `the policy is written beside others' statements, and only when it is asked for`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let s3file = self.run(here)
            let theirs = """
                {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny", "Principal": {"AWS": ["arn:aws:iam:::user/x"]},
                "Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::\(here.name)"}]}
                """
            try await here.client.putBucketPolicy(here.name, json: theirs)
            let without = try await s3file("bucket", "setup", "--yes")
            #expect(without.code == 0 && !without.text.contains("policy"), "\(without.text)")
            let arn = "arn:aws:iam:::user/\(store == .devServer ? "app" : "rgwuser")"
            let written = try await s3file("bucket", "setup", "--yes", "--policy", "--principal", arn)
            #expect(written.code == 0 && written.text.contains(#""Sid" : "S3FileObjects""#), "\(written.text)")
            let policy = try #require(try await here.client.bucketPolicy(here.name))
            #expect(
                policy.contains("Theirs") && policy.contains("S3FileBucket") && policy.contains("s3:ListBucketMultipartUploads")
            )
            let again = try await s3file("bucket", "setup", "--yes", "--policy", "--principal", arn)
            #expect(again.code == 0 && again.text == "Nothing to do.", "\(again.text)")
        }
    }

    @Test func `what makes no sense is refused before anything is asked`() async throws {
        try await KnownStore.devServer.withBucket { here in
            let s3file = self.run(here)
            for wrong in [["--policy"], ["--principal", "arn:x"], ["--policy", "--principal", "me"]] {
                let refused = try await s3file.run(["bucket", "setup"] + wrong)
                #expect(refused.code == 64, "\(wrong): \(refused.text)")
            }
            let origin = try await s3file("bucket", "setup", "--origin", "app.example.com/x")
            #expect(origin.code == 78 && origin.text.contains("S3FILE_ORIGINS"))
        }
    }

    @Test func `a difference shows what came, went and stayed`() {
        #expect(LineDifference.lines(from: "a\nb\nc", to: "a\nx\nc\nd") == ["  a", "- b", "+ x", "  c", "+ d"])
        #expect(LineDifference.lines(from: "", to: "a") == ["+ a"])
        #expect(LineDifference.lines(from: "a", to: "a") == ["  a"])
    }
}
