import TestEnvironment
import Testing

@Suite("Browser uploads", .enabled(if: Boto3.isInstalled))
struct PostObjectTests {
    @Test("A form that keeps its policy is stored and answered as asked")
    func stored() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                conditions = [["starts-with", "$key", "tmp/x/"], {"success_action_status": "201"}, ["starts-with", "$Content-Type", "image/"],
                    ["content-length-range", 1, 100], ["starts-with", "$x-amz-meta-note", ""]]
                form = s3.generate_presigned_post(bucket, "tmp/x/${filename}", Conditions=conditions)
                given = {"success_action_status": "201", "Content-Type": "image/png", "x-amz-meta-note": "ü", "x-ignore-this": "1"}
                for name, key in [("100%.txt", "tmp/x/100%.txt"), ("a%20b.txt", "tmp/x/a%20b.txt"), ("a&b<>.txt", "tmp/x/a&b<>.txt"), ("ünï.txt", "tmp/x/ünï.txt"),
                        ("q\"q.txt", "tmp/x/q\"q.txt"), ("C:\\dir\\file.txt", "tmp/x/file.txt"), ("../../pwn", "tmp/x/pwn"), ("", "tmp/x/")]:
                    answer = post(form, filename=name, change=given)
                    assert answer.status == 201, (name, answer.data)
                    import xml.etree.ElementTree as tree
                    root = tree.fromstring(answer.data)
                    assert root.tag == "PostResponse" and root.find("Bucket").text == bucket and root.find("Key").text == key, (name, answer.data)
                    assert root.find("ETag").text == '"%s"' % hashlib.md5(b"content").hexdigest()
                    assert root.find("Location").text == "%s/%s/%s" % (endpoint, bucket, urllib.parse.quote(key, safe=""))
                    head = s3.get_object(Bucket=bucket, Key=key)
                    assert head["Body"].read() == b"content" and head["ContentType"] == "image/png", head
                form = s3.generate_presigned_post(bucket, "exact")
                answer = post(form); assert answer.status == 204 and not answer.data and answer.headers["etag"]
                assert s3.head_object(Bucket=bucket, Key="exact")["ContentLength"] == 7
                form = s3.generate_presigned_post(bucket, "exact", Conditions=[["starts-with", "$success_action_redirect", ""]])
                answer = http_pool.request("POST", form["url"], redirect=False, fields=list(form["fields"].items()) + [("success_action_redirect", "http://x/y?z=1"), ("file", ("f", b""))])
                assert answer.status == 303 and answer.headers["location"].startswith("http://x/y?z=1&bucket=%s&key=exact&etag=" % bucket)
                form = s3.generate_presigned_post(bucket, "exact"); lower = {k.lower(): v for k, v in form["fields"].items()}
                assert post({"url": form["url"], "fields": lower}).status == 204
                """#,
                against: server
            )
        }
    }

    @Test("Every departure from the policy is refused with S3's code and leaves nothing")
    func refused() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                conditions = [["starts-with", "$key", "tmp/x/"], {"success_action_status": "201"}, ["starts-with", "$Content-Type", "image/"],
                    ["content-length-range", 3, 10]]
                make = lambda **named: s3.generate_presigned_post(bucket, named.pop("key", "tmp/x/${filename}"), Conditions=named.pop("conditions", conditions), **named)
                form = make()
                good = {"success_action_status": "201", "Content-Type": "image/png"}
                said(post(form, change={**good, "key": "tmp/xy/a"}), 403, "AccessDenied")
                said(post(form, change={**good, "key": "other"}), 403, "AccessDenied")
                said(post(form, change={**good, "key": "${filename}"}, filename="tmp/x/a"), 403, "AccessDenied")
                said(post(form, change={**good, "Content-Type": "text/html"}), 403, "AccessDenied")
                said(post(form, change={**good, "Content-Type": "image/png, text/html"}), 403, "AccessDenied")
                said(post(form, change={"Content-Type": "image/png"}), 403, "AccessDenied")
                said(post(form, change={**good, "success_action_status": "200"}), 403, "AccessDenied")
                extra = post(form, change={**good, "acl": "public-read"}); said(extra, 403, "AccessDenied"); assert b"Extra input fields: acl" in extra.data
                said(post(form, change={**good, "x-amz-meta-a": "b"}), 403, "AccessDenied")
                said(post(form, change=good, data=b"12345678901"), 400, "EntityTooLarge")
                said(post(form, change=good, data=b"12"), 400, "EntityTooSmall")
                said(post(form, change=good, data=b"1" * 5_000_000), 400, "EntityTooLarge")
                said(post(form, change={**good, "x-amz-signature": "0" * 64}), 403, "SignatureDoesNotMatch")
                said(post(form, change={**good, "x-amz-credential": form["fields"]["x-amz-credential"].replace("s3file-dev", "other")}), 403, "InvalidAccessKeyId")
                said(post(form, change={**good, "policy": base64.b64encode(b'{"expiration": "2099-01-01T00:00:00Z", "conditions": []}').decode()}), 403, "SignatureDoesNotMatch")
                said(post(form, change=good, drop=["policy"]), 403, "AccessDenied")
                said(post(form, change=good, drop=["key"]), 400, "InvalidArgument")
                said(post(form, change=good, drop=["x-amz-signature"]), 400, "InvalidArgument")
                said(post(form, change={**good, "x-amz-date": "20200101T000000Z"}), 400, "InvalidArgument")
                said(post(make(key="no/${filename}"), change=good), 403, "AccessDenied")
                s3.create_bucket(Bucket="elsewhere")
                said(post(form, change=good, url=endpoint + "/elsewhere"), 403, "AccessDenied")
                said(post(form, change={**good, "bucket": bucket}, url=endpoint + "/elsewhere"), 403, "AccessDenied")
                expired = make(ExpiresIn=-1); answer = post(expired, change=good); said(answer, 403, "AccessDenied"); assert b"Policy expired" in answer.data
                said(post(client(region="eu-west-1").generate_presigned_post(bucket, "k")), 400, "InvalidArgument")
                def signed(policy):
                    from botocore.auth import S3SigV4PostAuth
                    import hmac
                    fields = dict(form["fields"]); fields["policy"] = base64.b64encode(policy).decode(); fields["key"] = "k"
                    key = ("AWS4" + "s3file-dev-secret-key").encode()
                    for part in fields["x-amz-credential"].split("/")[1:]: key = hmac.new(key, part.encode(), "sha256").digest()
                    fields["x-amz-signature"] = hmac.new(key, fields["policy"].encode(), "sha256").hexdigest()
                    return {"url": form["url"], "fields": fields}
                for bad in [b"nonsense", b"{}", b'{"expiration": "soon", "conditions": []}', b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["like", "$key", "a"]]}',
                        b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [{"a": "b", "c": "d"}]}', b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["content-length-range", 5, 1]]}']:
                    said(post(signed(bad)), 400, "InvalidPolicyDocument")
                for bad, why in [(b'[]', b"Invalid JSON"), (b'{"conditions": []}', b"missing expiration"), (b'{"expiration": "2099-01-01T00:00:00Z"}', b"missing conditions"),
                        (b'{"expiration": 5, "conditions": []}', b"expiration"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": {}}', b"missing conditions"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [], "more": 1}', b"Unexpected"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [{"success_action_status": 201}]}', b"value must be a string"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [{}]}', b"exactly one property"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [null]}', b"Invalid Condition"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["eq", "key", "a"]]}', b"must begin with"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["eq", "$key"]]}', b"wrong number"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["eq", "$key", 1]]}', b"must be a string"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 1]]}', b"content-length-range"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [["content-length-range", 1, 2], ["content-length-range", 3, 4]]}', b"No length"),
                        (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [{"key": "k"}], "conditions": []}', b"Invalid JSON"), (b'{"expiration": "2099-01-01T00:00:00Z", "conditions": [{"key": "k", "k\\u0065y": "l"}]}', b"Invalid JSON"), (b"[" * 5000, b"Invalid JSON"), (b"\xff", b"Invalid JSON")]:
                    answer = post(signed(bad)); said(answer, 400, "InvalidPolicyDocument"); assert why in answer.data.replace(b"&apos;", b"'"), (bad, answer.data)
                both = make(conditions=[["starts-with", "$key", "tmp/"], ["starts-with", "$key", "tmp/x/"], {"key": "tmp/x/one"}, ["content-length-range", 1, 8], ["content-length-range", "3", "100"], ["starts-with", "$x-amz-meta-a", ""]], key="tmp/x/one")
                said(post(both, data=b"123"), 403, "AccessDenied"); said(post(both, change={"x-amz-meta-a": ""}, data=b"12"), 400, "EntityTooSmall"); said(post(both, change={"x-amz-meta-a": ""}, data=b"123456789"), 400, "EntityTooLarge")
                twice = http_pool.request("POST", form["url"], fields=[("key", "tmp/x/a")] + list({**form["fields"], **good}.items()) + [("file", ("a", b"content"))]); said(twice, 400, "InvalidArgument")
                other = http_pool.request("POST", form["url"], fields=list({**form["fields"], **good}.items()) + [("upload", ("a", b"content"))]); assert other.status in (400, 403), other.data
                uncovered = post(signed(b'{"expiration": "2099-01-01T00:00:00Z", "conditions": []}')); said(uncovered, 403, "AccessDenied")
                said(http_pool.request("POST", form["url"], fields=list({**form["fields"], **good}.items())), 400, "InvalidArgument")
                said(http_pool.request("POST", form["url"], body=b"nonsense", headers={"Content-Type": "multipart/form-data; boundary=x"}), 400, "MalformedPOSTRequest")
                said(http_pool.request("POST", form["url"], body=b"nonsense", headers={"Content-Type": "multipart/form-data"}), 400, "MalformedPOSTRequest")
                said(http_pool.request("POST", form["url"], fields=[("a", "b" * 30_000)]), 400, "MaxPostPreDataLengthExceeded")
                late = http_pool.request("POST", form["url"], fields=[("file", ("a", b"content"))] + list({**form["fields"], **good}.items())); said(late, 400, "InvalidArgument")
                gone = client().generate_presigned_post("no-such-bucket", "k"); said(post(gone), 404, "NoSuchBucket")
                left = s3.list_objects_v2(Bucket=bucket); assert left["KeyCount"] == 0, left
                assert s3.list_objects_v2(Bucket="elsewhere")["KeyCount"] == 0
                """#,
                against: server
            )
            #expect(try temporaryFiles(of: server).isEmpty)
        }
    }
}
