import Foundation
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

/// Policies of a bucket are kept, and nothing is decided by them.
@Suite struct BucketPolicyTests {
    private static let closed =
        #"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::1:role/x"]}, "Action": "s3:GetObject"}]}"#
    private static let open = #"{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject"}]}"#

    @Test func `a policy is given back as it came, also by the next server on the folder`() async throws {
        try await withTemporaryFolder { folder in
            func serve<R: Sendable>(_ body: (S3Client, String) async throws -> R) async throws -> R {
                try await TestDevServer.run(configure: { $0.directory = folder.path }) { server in
                    try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                        try await body(client, server.bucket)
                    }
                }
            }
            try await serve { client, bucket in
                #expect(try await client.bucketPolicy(bucket) == nil)
                #expect(try await client.isBucketPolicyPublic(bucket) == false)
                try await client.putBucketPolicy(bucket, json: Self.closed)
                #expect(try await client.isBucketPolicyPublic(bucket) == false)
            }
            try await serve { client, bucket in
                #expect(try await client.bucketPolicy(bucket) == Self.closed)
                try await client.putBucketPolicy(bucket, json: Self.open)
                #expect(try await client.isBucketPolicyPublic(bucket))
            }
        }
    }

    @Test(arguments: [
        "", "no JSON", "[]", "{}", #"{"Statement": 1}"#, String(repeating: " ", count: 21_000) + #"{"Statement": []}"#,
    ])
    func `what is no policy is refused`(text: String) async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                let error = await #expect(throws: S3Error.self) { try await client.putBucketPolicy(server.bucket, json: text) }
                #expect(error?.code.rawValue == "MalformedPolicy")
                #expect(try await client.bucketPolicy(server.bucket) == nil)
            }
        }
    }

    @Test func `of a bucket that is not there nothing is told`() async throws {
        try await TestDevServer.run { server in
            try await TestStore.withClient(server.s3Configuration) { client, _ async throws in
                let error = await #expect(throws: S3Error.self) { try await client.bucketPolicy("no-such-bucket") }
                #expect(error?.code == .noSuchBucket)
            }
        }
    }

    @Test(.enabled(if: Boto3.isInstalled))
    func `boto3 puts, reads and deletes a policy, by which nothing is decided`() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                none = lambda: [refused("NoSuchBucketPolicy", call, Bucket=bucket) for call in (s3.get_bucket_policy, s3.get_bucket_policy_status)]
                s3.put_object(Bucket=bucket, Key="k", Body=b"kept"); none()
                def put(effect, principal, **more):
                    statement = {"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": ["arn:aws:s3:::" + bucket, "arn:aws:s3:::%s/*" % bucket], **more}
                    text = json.dumps({"Version": "2012-10-17", "Id": "größe", "Statement": [statement]}, indent=1, ensure_ascii=False)
                    s3.put_bucket_policy(Bucket=bucket, Policy=text)
                    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
                    return s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
                def undecided():
                    s3.put_object(Bucket=bucket, Key="k", Body=b"kept"); assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
                    said(http_pool.request("GET", "%s/%s/k" % (endpoint, bucket)), 403, "AccessDenied")
                assert put("Allow", "*") is True; undecided()
                assert put("Allow", {"AWS": "*"}) is True; undecided()
                assert put("Deny", "*") is False; undecided()
                assert put("Allow", "*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}) is False; undecided()
                last = s3.get_bucket_policy(Bucket=bucket)["Policy"]
                for bad in ["{}", "nonsense", json.dumps({"Statement": []}) + " " * 21_000]: refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy=bad)
                assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == last
                for _ in range(2): assert s3.delete_bucket_policy(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204; none()
                # It goes with its bucket, and does not come back with the name.
                s3.create_bucket(Bucket="second"); s3.put_bucket_policy(Bucket="second", Policy=last); s3.delete_bucket(Bucket="second")
                for call in (s3.get_bucket_policy, s3.get_bucket_policy_status, s3.delete_bucket_policy): refused("NoSuchBucket", call, Bucket="second")
                refused("NoSuchBucket", s3.put_bucket_policy, Bucket="second", Policy=last)
                s3.create_bucket(Bucket="second"); refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="second")
                """#,
                against: server
            )
        }
    }

    @Test(.enabled(if: AwsCli.isInstalled, "Install the AWS CLI: pip install awscli"))
    func `the AWS CLI puts, reads and deletes a policy, by which nothing is decided`() async throws {
        try await TestDevServer.run { server in
            try await AwsCli.run(
                #"""
                closed='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}'
                printf '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}' >open.json; echo kept >k
                fails NoSuchBucketPolicy api get-bucket-policy --bucket $BUCKET; fails NoSuchBucketPolicy api get-bucket-policy-status --bucket $BUCKET
                # Neither is its own account shut out, nor is anybody else let in.
                undecided() {
                    api put-object --bucket $BUCKET --key k --body k >/dev/null; is "$(aws s3 cp s3://$BUCKET/k -)" kept
                    fails AccessDenied api get-object --no-sign-request --bucket $BUCKET --key k back
                }
                api put-bucket-policy --bucket $BUCKET --policy "$closed"; is "$(api get-bucket-policy --bucket $BUCKET --query Policy)" "$closed"
                is "$(api get-bucket-policy-status --bucket $BUCKET --query PolicyStatus.IsPublic)" False; undecided
                api put-bucket-policy --bucket $BUCKET --policy file://open.json; is "$(api get-bucket-policy --bucket $BUCKET --query Policy)" "$(cat open.json)"
                is "$(api get-bucket-policy-status --bucket $BUCKET --query PolicyStatus.IsPublic)" True; undecided
                fails MalformedPolicy api put-bucket-policy --bucket $BUCKET --policy '{}'
                is "$(api get-bucket-policy --bucket $BUCKET --query Policy)" "$(cat open.json)"
                api delete-bucket-policy --bucket $BUCKET; fails NoSuchBucketPolicy api get-bucket-policy --bucket $BUCKET
                fails NoSuchBucketPolicy api get-bucket-policy-status --bucket $BUCKET; api delete-bucket-policy --bucket $BUCKET
                fails '(NoSuchBucket)' api get-bucket-policy --bucket no-such-bucket; fails '(NoSuchBucket)' api delete-bucket-policy --bucket no-such-bucket
                """#,
                against: server
            )
        }
    }
}
