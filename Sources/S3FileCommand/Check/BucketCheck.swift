import S3
import S3File

/// What is set for a bucket: it is read, and nothing is changed.
struct BucketCheck: Sendable {
    let client: S3Client
    let configuration: S3FileConfiguration
    let bucket: String

    /// - Returns: whether there is a bucket to look at.
    func isUsable(_ report: inout CheckReport) async -> Bool {
        do {
            try await self.client.headBucket(self.bucket)
            return true
        } catch let error as S3Error where error.region != nil {
            report.add(
                .otherRegion,
                "The bucket \(self.bucket) is in the region \(error.region ?? ""), and AWS_REGION is \(self.configuration.region).",
                remedy: "AWS_REGION=\(error.region ?? "")"
            )
        } catch let error as S3Error where error.code == .expiredToken || error.code == .invalidToken {
            report.add(.endedCredentials, "\(error)", remedy: "Renew the credentials, or let a role give them.")
        } catch {
            report.add(
                .bucket,
                "The bucket \(self.bucket) cannot be used: \(Failure(error).sentence)",
                remedy: "Check S3FILE_BUCKET, S3FILE_TMP_BUCKET, AWS_REGION, the endpoint and the credentials, or make it: "
                    + "aws s3 mb s3://\(self.bucket)"
            )
        }
        return false
    }

    func check(deploy: Bool, _ report: inout CheckReport) async {
        let isTmp = self.bucket == self.configuration.tmpBucket
        if let region = await self.asked("region", &report, { try await self.client.bucketLocation(self.bucket) }),
            self.configuration.endpointURL == nil, region != self.configuration.region
        {
            report.add(
                .otherRegion,
                "The bucket \(self.bucket) is in the region \(region), and AWS_REGION is \(self.configuration.region).",
                remedy: "AWS_REGION=\(region)"
            )
        }
        let versioning = await self.asked("versioning", &report) { try await self.client.bucketVersioning(self.bucket) } ?? .never
        report.note(self.bucket, "versioning is \(versioning == .never ? "off" : versioning.rawValue.lowercased())")
        if let encryption = await self.asked("encryption", &report, { try await self.client.bucketEncryption(self.bucket) }) {
            report.note(self.bucket, "default encryption is \(encryption ?? "off")")
            if encryption == nil, deploy {
                report.add(
                    .notEncrypted,
                    "The bucket \(self.bucket) does not encrypt what does not ask for it.",
                    remedy: "aws s3api put-bucket-encryption --bucket \(self.bucket) --server-side-encryption-configuration "
                        + #"'{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'"#
                )
            }
        }
        if let rules = await self.asked("lifecycle", &report, { try await self.client.bucketLifecycle(self.bucket) }) {
            LifecycleCheck(
                configuration: self.configuration,
                bucket: self.bucket,
                isTmp: isTmp,
                isVersioned: versioning != .never,
                rules: rules.map(S3LifecycleRule.init),
                longestWait: report.longestWait
            ).check(&report)
        }
        await self.checkPublic(&report)
    }

    /// What the bucket's settings say; what anybody gets is tried in ``RightsCheck``.
    private func checkPublic(_ report: inout CheckReport) async {
        if await self.isPolicyPublic(&report) {
            report.add(
                .publicBucket,
                "The policy of the bucket \(self.bucket) gives something to everybody.",
                remedy: Self.block(self.bucket)
            )
        }
        if let grants = await self.asked("ACL", &report, { try await self.client.publicGrants(self.bucket) }), !grants.isEmpty {
            report.add(
                .publicBucket,
                "The access control list of the bucket \(self.bucket) gives \(grants.joined(separator: ", ")) to everybody.",
                remedy: "aws s3api put-bucket-acl --bucket \(self.bucket) --acl private"
            )
        }
    }

    /// By the policy itself where it may be read: a store's own word for it is no better, and Ceph 16 calls public what names one user.
    private func isPolicyPublic(_ report: inout CheckReport) async -> Bool {
        if let policy = try? await self.client.bucketPolicy(self.bucket) { return BucketPolicy.isForEverybody(policy) }
        return await self.asked("policy status", &report) { try await self.client.isBucketPolicyPublic(self.bucket) } ?? false
    }

    static func block(_ bucket: String) -> String {
        "aws s3api put-public-access-block --bucket \(bucket) --public-access-block-configuration "
            + "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
    }

    /// The answer; nil when the store does not know the question, or these credentials may not ask.
    private func asked<R>(_ what: String, _ report: inout CheckReport, _ body: () async throws -> R) async -> R? {
        do {
            return try await body()
        } catch let error as S3Error where error.code == .notImplemented || error.code == .methodNotAllowed {
            report.note(self.bucket, "\(what) is not known to this store")
        } catch let error as S3Error where error.status == 403 {
            report.note(self.bucket, "\(what) may not be read with these credentials")
            if what == "lifecycle" {
                report.add(
                    .notLookedAt,
                    "The lifecycle rules of the bucket \(self.bucket) may not be read with these credentials.",
                    remedy: "Run this once with an administrator's: AWS_PROFILE=admin s3file check"
                )
            }
        } catch {
            report.add(
                .notLookedAt,
                "The \(what) of the bucket \(self.bucket) could not be read: \(Failure(error).sentence)",
                remedy: "Run this again."
            )
        }
        return nil
    }
}
