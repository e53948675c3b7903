import TestEnvironment
import Testing

@Suite("What is stored with an object", .enabled(if: Boto3.isInstalled))
struct AttributeTests {
    @Test("Tags come with a write, a form or a copy, are put and deleted later, and are counted")
    func tags() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                tags = lambda key, **named: {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=bucket, Key=key, **named)["TagSet"]}
                put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="one=eins&zw%C3%B6i=a+b%2Fc&empty=")
                assert tags("k") == {"one": "eins", "zwöi": "a b/c", "empty": ""}
                head = s3.head_object(Bucket=bucket, Key="k"); assert head["TagCount"] == 3, head
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}); assert tags("c") == tags("k")
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="REPLACE", Tagging="new=neu"); assert tags("c") == {"new": "neu"}
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="REPLACE"); assert tags("c") == {}
                refused("InvalidArgument", s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="SOMETIMES")
                s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "later", "Value": "später"}]})
                after = s3.head_object(Bucket=bucket, Key="k")
                assert tags("k") == {"later": "später"} and after["TagCount"] == 1 and after["ETag"] == put["ETag"] and after["LastModified"] == head["LastModified"]
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}); assert tags("c") == tags("k")
                s3.put_object(Bucket=bucket, Key="k", Body=b"new"); assert tags("k") == {}
                s3.put_object_tagging(Bucket=bucket, Key="c", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
                s3.delete_object_tagging(Bucket=bucket, Key="c"); assert tags("c") == {} and "TagCount" not in s3.head_object(Bucket=bucket, Key="c")
                refused("NoSuchKey", s3.get_object_tagging, Bucket=bucket, Key="none"); refused("NoSuchKey", s3.put_object_tagging, Bucket=bucket, Key="none", Tagging={"TagSet": []})
                tagging = lambda *pairs: {"TagSet": [{"Key": k, "Value": v} for k, v in pairs]}
                bad = lambda code, *pairs: refused(code, s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=tagging(*pairs))
                bad("BadRequest", *[("k%d" % n, "v") for n in range(11)])
                for pairs in [[("a", "1"), ("a", "2")], [("k" * 129, "v")], [("k", "v" * 257)], [("aws:x", "v")], [("a<b", "v")], [("k", "v;w")]]: bad("InvalidTag", *pairs)
                refused("InvalidTag", s3.put_object, Bucket=bucket, Key="bad", Body=b"", Tagging="a=1&a=2")
                form = s3.generate_presigned_post(bucket, "form", Conditions=[["starts-with", "$tagging", ""]])
                document = "<Tagging><TagSet><Tag><Key>f</Key><Value>F&amp;</Value></Tag></TagSet></Tagging>"
                said(post(form, change={"tagging": document}), 400, "InvalidTag")
                assert post(form, change={"tagging": document.replace("&amp;", "+")}).status == 204 and tags("form") == {"f": "F+"}
                said(post(form, change={"tagging": "a=b"}), 400, "MalformedXML")
                mb = 1 << 20; upload = s3.create_multipart_upload(Bucket=bucket, Key="m", Tagging="part=teil")["UploadId"]
                etag = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
                s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
                assert tags("m") == {"part": "teil"}
                """#,
                against: server
            )
        }
    }

    @Test("Headers, storage classes and encryption are kept and told; what is unknown is refused")
    func headers() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                given = dict(ContentType="text/x", ContentDisposition="inline", ContentEncoding="gzip", ContentLanguage="de", CacheControl="no-store",
                    Expires=datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), WebsiteRedirectLocation="/x", Metadata={"a-b": "c"}, StorageClass="STANDARD_IA")
                s3.put_object(Bucket=bucket, Key="k", Body=b"x", **given)
                head = s3.head_object(Bucket=bucket, Key="k")
                for name, value in given.items(): assert head[name] == value, (name, head.get(name))
                assert head["ServerSideEncryption"] == "AES256"
                assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD_IA"
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
                copy = s3.head_object(Bucket=bucket, Key="c")
                for name in ["ContentType", "ContentDisposition", "ContentEncoding", "ContentLanguage", "CacheControl", "Expires", "Metadata"]: assert copy[name] == head[name]
                assert "StorageClass" not in copy and "WebsiteRedirectLocation" not in copy
                s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "c"}, StorageClass="ONEZONE_IA")
                assert s3.head_object(Bucket=bucket, Key="c")["StorageClass"] == "ONEZONE_IA"
                refused("InvalidStorageClass", s3.put_object, Bucket=bucket, Key="bad", Body=b"", StorageClass="ATTIC")
                s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER")
                refused("InvalidObjectState", s3.get_object, Bucket=bucket, Key="cold"); assert s3.head_object(Bucket=bucket, Key="cold")["StorageClass"] == "GLACIER"
                refused("InvalidObjectState", s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "cold"})
                key = "arn:aws:kms:us-east-1:111122223333:key/1"
                kms = s3.put_object(Bucket=bucket, Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=True)
                assert kms["ServerSideEncryption"] == "aws:kms" and kms["SSEKMSKeyId"] == key
                head = s3.head_object(Bucket=bucket, Key="kms")
                assert head["SSEKMSKeyId"] == key and head["BucketKeyEnabled"] is True and head["ETag"] == kms["ETag"] and len(head["ETag"]) == 34
                assert kms["ETag"] != '"%s"' % hashlib.md5(b"x").hexdigest()
                s3.get_object(Bucket=bucket, Key="kms", IfMatch=kms["ETag"])
                plain = s3.copy_object(Bucket=bucket, Key="plain", CopySource={"Bucket": bucket, "Key": "kms"}, CopySourceIfMatch=kms["ETag"])
                assert plain["ServerSideEncryption"] == "AES256" and plain["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(b"x").hexdigest()
                hidden = s3.copy_object(Bucket=bucket, Key="hidden", CopySource={"Bucket": bucket, "Key": "plain"}, ServerSideEncryption="aws:kms")
                assert hidden["CopyObjectResult"]["ETag"] != plain["CopyObjectResult"]["ETag"] and "alias/aws/s3" in hidden["SSEKMSKeyId"]
                upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ServerSideEncryption="aws:kms", StorageClass="STANDARD_IA")
                assert upload["ServerSideEncryption"] == "aws:kms"; upload = upload["UploadId"]
                etag = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]; assert etag != '"%s"' % hashlib.md5(b"x").hexdigest()
                done = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
                assert done["ETag"].endswith('-1"') and s3.head_object(Bucket=bucket, Key="m")["StorageClass"] == "STANDARD_IA"
                refused("InvalidArgument", s3.put_object, Bucket=bucket, Key="bad", Body=b"", ServerSideEncryption="rot13")
                refused("InvalidArgument", s3.put_object, Bucket=bucket, Key="bad", Body=b"", ServerSideEncryption="AES256", SSEKMSKeyId=key)
                refused("InvalidArgument", s3.put_object, Bucket=bucket, Key="bad", Body=b"", SSEKMSKeyId=key)
                s3.put_object(Bucket=bucket, Key="acl", Body=b"", ACL="bucket-owner-full-control")
                for acl in [{"ACL": "private"}, {"ACL": "public-read"}, {"GrantRead": "id=1"}]: refused("AccessControlListNotSupported", s3.put_object, Bucket=bucket, Key="bad", Body=b"", **acl)
                refused("AccessControlListNotSupported", s3.create_multipart_upload, Bucket=bucket, Key="bad", ACL="public-read")
                refused("AccessControlListNotSupported", s3.copy_object, Bucket=bucket, Key="bad", CopySource={"Bucket": bucket, "Key": "k"}, ACL="public-read")
                form = s3.generate_presigned_post(bucket, "form", Fields={"acl": "public-read"}, Conditions=[{"acl": "public-read"}]); said(post(form), 400, "AccessControlListNotSupported")
                form = s3.generate_presigned_post(bucket, "form", Conditions=[["starts-with", "$x-amz-storage-class", ""], ["starts-with", "$x-amz-server-side-encryption", ""], ["starts-with", "$Cache-Control", ""], ["starts-with", "$Content-Disposition", ""]])
                assert post(form, change={"x-amz-storage-class": "STANDARD_IA", "x-amz-server-side-encryption": "aws:kms", "Cache-Control": "max-age=1", "Content-Disposition": "inline"}).status == 204
                head = s3.head_object(Bucket=bucket, Key="form"); assert head["StorageClass"] == "STANDARD_IA" and head["ServerSideEncryption"] == "aws:kms" and head["CacheControl"] == "max-age=1" and head["ContentDisposition"] == "inline"
                customer = dict(SSECustomerAlgorithm="AES256", SSECustomerKey=b"0" * 32)
                refused("NotImplemented", s3.put_object, Bucket=bucket, Key="bad", Body=b"", **customer)
                refused("404", s3.head_object, Bucket=bucket, Key="bad")
                """#,
                against: server
            )
        }
    }
}
