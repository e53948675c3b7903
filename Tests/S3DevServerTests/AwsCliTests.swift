import Foundation
import S3
import S3DevServer
import Subprocess
import TestEnvironment
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Amazon's own command line.
enum AwsCli {
    static let isInstalled: Bool = {
        // Only at the start of the tests, and once: a short look.
        system("aws --version >/dev/null 2>&1") == 0
    }()

    private static let prelude = #"""
        set -euo pipefail
        cd "$FOLDER"
        # By itself it presigns for this region with version 2, which S3 takes for old buckets only.
        printf '[default]\ns3 =\n  signature_version = s3v4\n' >"$AWS_CONFIG_FILE"
        fails() { local code=$1; shift; if "$@" >out 2>&1; then echo "expected $code: $*"; exit 1; fi; grep -q "$code" out || { echo "expected $code: $*"; cat out; exit 1; }; }
        is() { [[ "$1" == "$2" ]] || { echo "expected '$2', got '$1' (line ${BASH_LINENO[0]})"; exit 1; }; }
        api() { aws s3api "$@" --output text; }

        """#

    static func run(_ script: String, against server: TestDevServer) async throws {
        try await withTemporaryFolder { folder in
            let result = try await Subprocess.run(
                .name("timeout"),
                arguments: ["240", "bash", "-c", Self.prelude + script],
                environment: .inherit.updating([
                    "FOLDER": .init(stringLiteral: folder.path), "BUCKET": .init(stringLiteral: server.bucket),
                    "AWS_ENDPOINT_URL_S3": .init(stringLiteral: server.endpoint),
                    "AWS_ACCESS_KEY_ID": .init(stringLiteral: server.credentials.accessKeyID),
                    "AWS_SECRET_ACCESS_KEY": .init(stringLiteral: server.credentials.secretAccessKey),
                    "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
                    "AWS_CONFIG_FILE": .init(stringLiteral: folder.path + "/config"), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                    "AWS_MAX_ATTEMPTS": "1",
                ]),
                output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 20)
            )
            #expect(result.terminationStatus.isSuccess, "\(result.standardOutput)\n\(result.standardError)")
        }
    }
}

@Suite("The AWS CLI against S3DevServer", .enabled(if: AwsCli.isInstalled, "Install the AWS CLI: pip install awscli"))
struct AwsCliTests {
    @Test("Files are copied up, down and across, moved, synchronised, presigned and removed")
    func files() async throws {
        try await TestDevServer.run { server in
            try await AwsCli.run(
                #"""
                head -c 20000000 /dev/urandom >big; echo small >"a b+%2F.txt"; mkdir -p tree/sub; for n in 1 2 3; do echo $n >tree/sub/$n; done
                aws s3 cp --quiet big s3://$BUCKET/big; aws s3 cp --quiet "a b+%2F.txt" "s3://$BUCKET/x/a b+%2F.txt" --content-type text/x --metadata one=eins
                aws s3 cp --quiet s3://$BUCKET/big back; cmp big back
                is "$(aws s3 cp "s3://$BUCKET/x/a b+%2F.txt" -)" small
                is "$(api head-object --bucket $BUCKET --key 'x/a b+%2F.txt' --query '[ContentType,Metadata.one]')" "text/x	eins"
                echo piped | aws s3 cp --quiet - s3://$BUCKET/piped; is "$(aws s3 cp s3://$BUCKET/piped -)" piped
                aws s3 cp --quiet s3://$BUCKET/big s3://$BUCKET/copy; aws s3 mv --quiet s3://$BUCKET/copy s3://$BUCKET/moved
                aws s3 cp --quiet s3://$BUCKET/moved back; cmp big back; fails 404 aws s3 cp s3://$BUCKET/copy -
                aws s3 mv --quiet back s3://$BUCKET/up; [[ ! -e back ]]; aws s3 mv --quiet s3://$BUCKET/up down; cmp big down
                aws s3 sync --quiet tree s3://$BUCKET/tree; is "$(aws s3 ls --recursive s3://$BUCKET/tree | wc -l)" 3
                is "$(aws s3 sync tree s3://$BUCKET/tree)" ""
                rm tree/sub/2; echo changed >tree/sub/3; is "$(aws s3 sync --delete tree s3://$BUCKET/tree | wc -l)" 2
                aws s3 sync --quiet s3://$BUCKET/tree other; diff -r tree other
                aws s3 cp --quiet --recursive s3://$BUCKET/tree s3://$BUCKET/tree2; is "$(aws s3 ls --recursive s3://$BUCKET/tree2 | wc -l)" 2
                is "$(aws s3 ls s3://$BUCKET/ | grep -c PRE)" 3
                url=$(aws s3 presign "s3://$BUCKET/x/a b+%2F.txt"); is "$(curl -fsS "$url")" small
                aws s3 rm --quiet --recursive s3://$BUCKET/tree2; aws s3 rm --quiet s3://$BUCKET/big; fails 404 aws s3 cp s3://$BUCKET/big -
                aws s3 mb s3://second-bucket >/dev/null; aws s3 cp --quiet piped s3://second-bucket/ 2>/dev/null || aws s3 cp --quiet s3://$BUCKET/piped s3://second-bucket/piped
                fails BucketNotEmpty aws s3 rb s3://second-bucket; aws s3 rb --force s3://second-bucket >/dev/null; fails NoSuchBucket aws s3 ls s3://second-bucket
                """#,
                against: server
            )
        }
    }

    @Test("What s3api offers is understood, conditions, versions, tags, checksums and multipart uploads among it")
    func api() async throws {
        try await TestDevServer.run(configure: { $0.minimumPartSize = 1 }) { server in
            try await AwsCli.run(
                #"""
                echo one >one; echo two >two
                api put-object --bucket $BUCKET --key k --body one --if-none-match '*' --tagging a=b --storage-class STANDARD_IA --checksum-algorithm SHA256 >/dev/null
                fails PreconditionFailed api put-object --bucket $BUCKET --key k --body two --if-none-match '*'
                is "$(api get-object-tagging --bucket $BUCKET --key k --query 'TagSet[].[Key,Value]')" "a	b"
                is "$(api head-object --bucket $BUCKET --key k --checksum-mode ENABLED --query '[StorageClass,ChecksumSHA256,ServerSideEncryption]')" "STANDARD_IA	$(openssl dgst -sha256 -binary one | base64)	AES256"
                is "$(api get-object-attributes --bucket $BUCKET --key k --object-attributes ObjectSize --query ObjectSize)" 4
                etag=$(api head-object --bucket $BUCKET --key k --query ETag)
                fails PreconditionFailed api copy-object --bucket $BUCKET --key c --copy-source $BUCKET/k --copy-source-if-match '"x"'
                api copy-object --bucket $BUCKET --key c --copy-source $BUCKET/k --copy-source-if-match "$etag" --if-none-match '*' >/dev/null
                fails PreconditionFailed api delete-object --bucket $BUCKET --key c --if-match '"x"'; api delete-object --bucket $BUCKET --key c --if-match "$etag" >/dev/null
                api put-bucket-versioning --bucket $BUCKET --versioning-configuration Status=Enabled
                v=$(api put-object --bucket $BUCKET --key k --body two --query VersionId); api delete-object --bucket $BUCKET --key k >/dev/null
                is "$(api list-object-versions --bucket $BUCKET --query '[length(Versions),length(DeleteMarkers)]')" "2	1"
                api get-object --bucket $BUCKET --key k --version-id $v out >/dev/null; cmp two out
                api put-bucket-cors --bucket $BUCKET --cors-configuration '{"CORSRules":[{"AllowedOrigins":["http://a.example"],"AllowedMethods":["PUT"],"AllowedHeaders":["*"],"ExposeHeaders":["ETag"]}]}'
                is "$(api get-bucket-cors --bucket $BUCKET --query 'CORSRules[0].AllowedMethods[0]')" PUT
                api put-bucket-lifecycle-configuration --bucket $BUCKET --lifecycle-configuration '{"Rules":[{"ID":"x","Status":"Enabled","Filter":{"Prefix":"tmp/"},"Expiration":{"Days":1},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}]}' >/dev/null
                is "$(api get-bucket-lifecycle-configuration --bucket $BUCKET --query 'Rules[0].Expiration.Days')" 1
                is "$(api get-bucket-location --bucket $BUCKET)" None
                upload=$(api create-multipart-upload --bucket $BUCKET --key m --query UploadId)
                for n in 1 2 3; do api upload-part --bucket $BUCKET --key m --upload-id $upload --part-number $n --body one --query ETag >/dev/null; done
                is "$(api list-parts --bucket $BUCKET --key m --upload-id $upload --page-size 1 --query 'Parts[].PartNumber' | tr '\n\t' '  ')" "1 2 3 "
                is "$(api list-multipart-uploads --bucket $BUCKET --query 'Uploads[].Key')" m
                api complete-multipart-upload --bucket $BUCKET --key m --upload-id $upload --mpu-object-size 12 --multipart-upload \
                    "$(aws s3api list-parts --bucket $BUCKET --key m --upload-id $upload --query '{Parts: Parts[].{PartNumber: PartNumber, ETag: ETag}}')" >/dev/null
                is "$(api head-object --bucket $BUCKET --key m --query ContentLength)" 12
                upload=$(api create-multipart-upload --bucket $BUCKET --key m --query UploadId); api abort-multipart-upload --bucket $BUCKET --key m --upload-id $upload
                is "$(api list-multipart-uploads --bucket $BUCKET --query Uploads)" None
                is "$(api list-objects-v2 --bucket $BUCKET --page-size 1 --query 'Contents[].Key')" m; is "$(api list-objects --bucket $BUCKET --query 'Contents[].Key')" m
                fails AccessControlListNotSupported api put-object --bucket $BUCKET --key acl --acl public-read
                """#,
                against: server
            )
        }
    }
}
