import TestEnvironment
import Testing

@Suite("boto3 against S3DevServer", .enabled(if: Boto3.isInstalled))
struct Boto3Tests {
    @Test("Objects are put, read, ranged, headed, listed, copied and deleted")
    func objects() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                body = os.urandom(3_000_000)
                put = s3.put_object(Bucket=bucket, Key="a b/ü+%2F.bin", Body=body, ContentType="image/png",
                    ContentDisposition='attachment; filename="x"', CacheControl="no-store", Metadata={"one": "eins"})
                assert put["ETag"] == '"%s"' % hashlib.md5(body).hexdigest()
                got = s3.get_object(Bucket=bucket, Key="a b/ü+%2F.bin")
                assert got["Body"].read() == body
                assert got["ContentType"] == "image/png" and got["CacheControl"] == "no-store" and got["Metadata"] == {"one": "eins"}
                assert got["ContentDisposition"] == 'attachment; filename="x"' and got["ResponseMetadata"]["HTTPHeaders"]["server"] == "S3DevServer"
                head = s3.head_object(Bucket=bucket, Key="a b/ü+%2F.bin")
                assert head["ContentLength"] == len(body) and head["ETag"] == put["ETag"]
                for spec, part, total in [("bytes=0-9", body[:10], "bytes 0-9/3000000"), ("bytes=2999990-", body[-10:], "bytes 2999990-2999999/3000000"),
                        ("bytes=-5", body[-5:], "bytes 2999995-2999999/3000000"), ("bytes=100-99999999", body[100:], "bytes 100-2999999/3000000")]:
                    ranged = s3.get_object(Bucket=bucket, Key="a b/ü+%2F.bin", Range=spec)
                    assert ranged["Body"].read() == part and ranged["ContentRange"] == total
                refused("InvalidRange", s3.get_object, Bucket=bucket, Key="a b/ü+%2F.bin", Range="bytes=3000000-")
                override = s3.get_object(Bucket=bucket, Key="a b/ü+%2F.bin", ResponseContentType="text/x", ResponseContentDisposition="inline")
                assert override["ContentType"] == "text/x" and override["ContentDisposition"] == "inline"
                refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="none")
                refused("404", s3.head_object, Bucket=bucket, Key="none")
                refused("NoSuchBucket", s3.get_object, Bucket="no-such-bucket", Key="none")
                copy = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü+%2F.bin"})
                assert copy["CopyObjectResult"]["ETag"] == put["ETag"]
                assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"one": "eins"}
                s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü+%2F.bin"},
                    MetadataDirective="REPLACE", ContentType="text/plain", Metadata={"two": "zwei"})
                head = s3.head_object(Bucket=bucket, Key="copy")
                assert head["Metadata"] == {"two": "zwei"} and head["ContentType"] == "text/plain" and "CacheControl" not in head
                assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body
                refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "copy"})
                refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "none"})
                listed = s3.list_objects_v2(Bucket=bucket)
                assert [o["Key"] for o in listed["Contents"]] == ["a b/ü+%2F.bin", "copy"], listed
                assert listed["Contents"][0]["Size"] == 3_000_000 and listed["Contents"][0]["ETag"] == put["ETag"]
                s3.delete_object(Bucket=bucket, Key="copy"); s3.delete_object(Bucket=bucket, Key="copy")
                s3.put_object(Bucket=bucket, Key="empty", Body=b"")
                assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
                gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a b/ü+%2F.bin"}, {"Key": "empty"}, {"Key": "none"}]})
                assert len(gone["Deleted"]) == 3 and "Errors" not in gone
                assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
                """#,
                against: server
            )
        }
    }

    @Test("Conditions on reads, writes, copies and deletes are kept")
    func conditions() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]
                when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
                s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)
                refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
                assert refused("304", s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)["ResponseMetadata"]["HTTPStatusCode"] == 304
                refused("304", s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=when)
                s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=when - datetime.timedelta(seconds=5))
                refused("PreconditionFailed", s3.get_object, Bucket=bucket, Key="k", IfUnmodifiedSince=when - datetime.timedelta(seconds=5))
                refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*")
                s3.put_object(Bucket=bucket, Key="new", Body=b"two", IfNoneMatch="*")
                refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"other"')
                refused("NoSuchKey", s3.put_object, Bucket=bucket, Key="none", Body=b"two", IfMatch=etag)
                assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
                source = {"Bucket": bucket, "Key": "k"}
                refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch='"other"')
                refused("PreconditionFailed", s3.copy_object, Bucket=bucket, Key="c", CopySource=source, CopySourceIfNoneMatch=etag)
                refused("404", s3.head_object, Bucket=bucket, Key="c")
                s3.copy_object(Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch=etag)
                def once(params, **_): params["headers"]["If-None-Match"] = "*"
                fenced = client(); fenced.meta.events.register("before-call.s3.CopyObject", once)
                refused("PreconditionFailed", fenced.copy_object, Bucket=bucket, Key="c", CopySource=source)
                fenced.copy_object(Bucket=bucket, Key="d", CopySource=source)
                refused("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"')
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"other"'}, {"Key": "d", "ETag": etag}]})
                assert [e["Code"] for e in answer["Errors"]] == ["PreconditionFailed"] and [d["Key"] for d in answer["Deleted"]] == ["d"]
                s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
                refused("404", s3.head_object, Bucket=bucket, Key="k")
                """#,
                against: server
            )
        }
    }

    @Test("Listings are ordered by bytes, grouped, and complete over pages")
    func listing() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                keys = ["a", "a/", "a/b", "a/b/c", "a//d", "a0", "Z", "z z", "z+z", "z%20z", "é", "e\u0301", "\U0001F600", "\uffee", "b/1", "b/2", "b/3", "..", "../x", ".", "/", "//", "<&>\"'", "tab\tnl"]
                for key in keys: s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
                ordered = sorted(keys, key=lambda k: k.encode())
                def pages(**named):
                    found, prefixes, token = [], [], {}
                    while True:
                        page = s3.list_objects_v2(Bucket=bucket, **named, **token)
                        found += [o["Key"] for o in page.get("Contents", [])]
                        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                        assert page["KeyCount"] == len(page.get("Contents", [])) + len(page.get("CommonPrefixes", []))
                        if not page["IsTruncated"]: return found, prefixes
                        token = {"ContinuationToken": page["NextContinuationToken"]}
                for maximum in [1, 2, 3, 7, 1000]:
                    assert pages(MaxKeys=maximum) == (ordered, []), pages(MaxKeys=maximum)
                    grouped = pages(MaxKeys=maximum, Delimiter="/")
                    assert grouped == ([k for k in ordered if "/" not in k], ["../", "/", "a/", "b/"]), grouped
                    assert pages(MaxKeys=maximum, Prefix="a/", Delimiter="/") == (["a/", "a/b"], ["a//", "a/b/"])
                    assert pages(MaxKeys=maximum, Prefix="b/") == (["b/1", "b/2", "b/3"], [])
                    assert pages(MaxKeys=maximum, StartAfter="b/1") == (ordered[ordered.index("b/1") + 1:], [])
                for key in keys: assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
                assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False
                refused("InvalidArgument", s3.list_objects_v2, Bucket=bucket, ContinuationToken="nonsense")
                refused("NoSuchBucket", s3.list_objects_v2, Bucket="no-such-bucket")
                first = s3.list_objects(Bucket=bucket, MaxKeys=5, Delimiter="/")
                second = s3.list_objects(Bucket=bucket, Marker=first["NextMarker"], Delimiter="/")
                both = [o["Key"] for p in (first, second) for o in p.get("Contents", [])]
                assert both == [k for k in ordered if "/" not in k], both
                """#,
                against: server
            )
        }
    }

    @Test("Multipart uploads and part copies become one object, or nothing")
    func multipart() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                mb = 1 << 20
                one, two, three = os.urandom(5 * mb), os.urandom(5 * mb + 1), b"end"
                upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ContentType="video/mp4", Metadata={"a": "b"})["UploadId"]
                assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
                part = lambda n, body: {"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=n, Body=body)["ETag"]}
                s3.put_object(Bucket=bucket, Key="source", Body=one + two)
                p3, p1 = part(3, three), part(1, b"to be replaced"); p1 = part(1, one)
                copied = s3.upload_part_copy(Bucket=bucket, Key="m", UploadId=upload, PartNumber=2, CopySource={"Bucket": bucket, "Key": "source"},
                    CopySourceRange="bytes=%d-%d" % (len(one), len(one) + len(two) - 1))["CopyPartResult"]["ETag"]
                refused("PreconditionFailed", s3.upload_part_copy, Bucket=bucket, Key="m", UploadId=upload, PartNumber=4,
                    CopySource={"Bucket": bucket, "Key": "source"}, CopySourceIfMatch='"other"')
                p2 = {"PartNumber": 2, "ETag": copied}
                assert [p["Size"] for p in s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"]] == [len(one), len(two), len(three)]
                complete = lambda *parts: s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": list(parts)})
                refused("InvalidPart", complete, p1, {"PartNumber": 2, "ETag": '"0"'})
                refused("InvalidPartOrder", complete, p2, p1)
                refused("EntityTooSmall", complete, p3, {"PartNumber": 4, "ETag": s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=4, Body=b"x")["ETag"]})
                refused("404", s3.head_object, Bucket=bucket, Key="m")
                done = complete(p1, p2, p3)
                digests = b"".join(hashlib.md5(b).digest() for b in (one, two, three))
                assert done["ETag"] == '"%s-3"' % hashlib.md5(digests).hexdigest()
                got = s3.get_object(Bucket=bucket, Key="m")
                assert got["Body"].read() == one + two + three and got["ContentType"] == "video/mp4" and got["Metadata"] == {"a": "b"}
                refused("NoSuchUpload", complete, p1)
                plain = s3.copy_object(Bucket=bucket, Key="plain", CopySource={"Bucket": bucket, "Key": "m"})
                assert plain["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(one + two + three).hexdigest()
                upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
                part(1, one)
                s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
                refused("NoSuchUpload", part, 2, one)
                assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
                import io
                from boto3.s3.transfer import TransferConfig
                big = os.urandom(20 * mb)
                s3.upload_fileobj(io.BytesIO(big), bucket, "big", Config=TransferConfig(multipart_threshold=6 * mb, multipart_chunksize=6 * mb))
                out = io.BytesIO(); s3.download_fileobj(bucket, "big", out); assert out.getvalue() == big
                """#,
                against: server
            )
        }
    }

    @Test("Checksums that clients send are verified, kept and given back")
    func checksums() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                assert base64.b64decode(s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm="CRC32")["ChecksumCRC32"]).hex() == "cbf43926"
                assert s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm="SHA256")["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"123456789").digest()).decode()
                assert s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm="SHA1")["ChecksumSHA1"] == base64.b64encode(hashlib.sha1(b"123456789").digest()).decode()
                # Known answers for "123456789" from the catalogue of CRCs.
                s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumCRC32C=base64.b64encode(bytes.fromhex("e3069283")).decode())
                s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumCRC64NVME=base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode())
                assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"]
                refused("BadDigest", s3.put_object, Bucket=bucket, Key="bad", Body=b"x", ChecksumCRC32="AAAAAA==")
                refused("BadDigest", s3.put_object, Bucket=bucket, Key="bad", Body=b"x", ContentMD5=base64.b64encode(b"0" * 16).decode())
                refused("InvalidDigest", s3.put_object, Bucket=bucket, Key="bad", Body=b"x", ContentMD5="nonsense")
                refused("404", s3.head_object, Bucket=bucket, Key="bad")
                """#,
                against: server
            )
        }
    }

    @Test("Buckets are made, found, listed and deleted, and keep their documents")
    func buckets() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                s3.create_bucket(Bucket="another.one-2"); s3.create_bucket(Bucket="another.one-2")
                assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["another.one-2", bucket]
                s3.head_bucket(Bucket="another.one-2"); refused("404", s3.head_bucket, Bucket="none-such")
                assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
                rule = {"AllowedMethods": ["POST"], "AllowedOrigins": ["*"]}
                refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket)
                s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
                assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
                s3.put_object(Bucket="another.one-2", Key="k", Body=b"")
                refused("BucketNotEmpty", s3.delete_bucket, Bucket="another.one-2")
                s3.delete_object(Bucket="another.one-2", Key="k"); s3.delete_bucket(Bucket="another.one-2")
                refused("404", s3.head_bucket, Bucket="another.one-2")
                refused("NoSuchBucket", s3.delete_bucket, Bucket="another.one-2")
                for bad in ["UPPER", "a_b"]: refused("InvalidBucketName", s3.create_bucket, Bucket=bad)
                refused("NotImplemented", s3.get_bucket_acl, Bucket=bucket)
                refused("InvalidArgument", s3.get_object, Bucket=bucket, Key="k", VersionId="v1")
                """#,
                against: server
            )
        }
    }

    @Test("Virtual-host addresses name the same objects")
    func virtualHost() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                import socket
                real = socket.getaddrinfo
                socket.getaddrinfo = lambda host, *rest, **named: real("127.0.0.1" if host.endswith(".localhost") else host, *rest, **named)
                v = client(style="virtual", url=endpoint.replace("127.0.0.1", "localhost"))
                v.put_object(Bucket=bucket, Key="a/b c", Body=b"hello")
                assert s3.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"hello"
                url = v.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/b c"})
                assert url.startswith("http://%s.localhost:" % bucket), url
                assert http_pool.request("GET", url).data == b"hello"
                form = v.generate_presigned_post(bucket, "up/${filename}", Conditions=[["starts-with", "$key", "up/"]])
                assert post(form).status == 204
                assert s3.get_object(Bucket=bucket, Key="up/a.txt")["Body"].read() == b"content"
                """#,
                against: server
            )
        }
    }

    @Test("Presigned URLs work until they expire or are changed")
    func presigned() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                key = "p/ü &+=?#.txt"
                put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, "ContentType": "text/plain"})
                assert http_pool.request("PUT", put, body=b"hello", headers={"Content-Type": "text/plain"}).status == 200
                said(http_pool.request("PUT", put, body=b"hello", headers={"Content-Type": "text/html"}), 403, "SignatureDoesNotMatch")
                get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, "ResponseContentDisposition": 'attachment; filename="ü"'})
                answer = http_pool.request("GET", get)
                assert answer.data == b"hello" and answer.headers["content-type"] == "text/plain"
                said(http_pool.request("GET", get.replace("p/", "q/")), 403, "SignatureDoesNotMatch")
                said(http_pool.request("DELETE", get), 403, "SignatureDoesNotMatch")
                said(http_pool.request("GET", get + "&versionId=1"), 403, "SignatureDoesNotMatch")
                said(http_pool.request("GET", get.split("?")[0]), 403, "AccessDenied")
                said(http_pool.request("GET", endpoint + "/"), 403, "AccessDenied")
                short = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=1)
                assert http_pool.request("GET", short).status == 200
                time.sleep(2.1)
                expired = http_pool.request("GET", short); said(expired, 403, "AccessDenied"); assert b"expired" in expired.data
                refused("InvalidAccessKeyId", client(key="other").list_objects_v2, Bucket=bucket)
                refused("SignatureDoesNotMatch", client(secret="other").list_objects_v2, Bucket=bucket)
                # The refusal names the right region, and boto3 follows it, as it does with AWS.
                codes, astray = [], client(region="eu-west-1")
                astray.meta.events.register(
                    "response-received.s3.ListObjectsV2",
                    lambda parsed_response, **_: codes.append((parsed_response.get("Error") or {}).get("Code")))
                astray.list_objects_v2(Bucket=bucket)
                assert codes == ["AuthorizationHeaderMalformed", None], codes
                """#,
                against: server
            )
        }
    }
}
