import Subprocess
import TestEnvironment
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Python's S3 client, the judge that was not written here.
enum Boto3 {
    static let isInstalled: Bool = {
        // Only at the start of the tests, and once: a short look.
        system("python3 -c 'import boto3' >/dev/null 2>&1") == 0
    }()

    private static let prelude = #"""
        import base64, datetime, hashlib, http.client, json, os, sys, time, urllib.parse
        import boto3, urllib3
        from botocore.config import Config
        from botocore.exceptions import ClientError
        endpoint, bucket = os.environ["ENDPOINT"], os.environ["BUCKET"]
        def client(key="s3file-dev", secret="s3file-dev-secret-key", region="us-east-1", style="path", url=None):
            return boto3.client("s3", endpoint_url=url or endpoint, region_name=region, aws_access_key_id=key,
                aws_secret_access_key=secret, config=Config(signature_version="s3v4", s3={"addressing_style": style},
                retries={"max_attempts": 0}))
        s3 = client()
        http_pool = urllib3.PoolManager(retries=False)
        def refused(code, call, *args, **named):
            try:
                call(*args, **named)
            except ClientError as error:
                assert error.response["Error"]["Code"] == code, (code, error.response)
                return error.response
            raise AssertionError("expected " + code)
        def post(form, data=b"content", filename="a.txt", change={}, drop=[], order=None, url=None):
            fields = dict(form["fields"]); fields.update(change)
            for name in drop: del fields[name]
            items = list(fields.items()) + [("file", (filename, data, "text/plain"))]
            return http_pool.request("POST", url or form["url"], fields=items)
        def said(answer, status, code):
            assert answer.status == status and ("<Code>%s</Code>" % code).encode() in answer.data, (status, code, answer.status, answer.data)

        """#

    /// Runs a script behind the prelude; its exit code is the verdict.
    static func run(_ script: String, against server: TestDevServer) async throws {
        let result = try await Subprocess.run(
            .name("timeout"),
            arguments: ["120", "python3", "-c", Self.prelude + script],
            environment: .inherit.updating([
                "ENDPOINT": server.endpoint, "BUCKET": server.bucket, "AWS_EC2_METADATA_DISABLED": "true",
            ]),
            output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20)
        )
        #expect(result.terminationStatus.isSuccess, "\(result.standardOutput)\n\(result.standardError)")
    }
}
