import Foundation
import S3DevServer
import TestEnvironment
import Testing

@Suite("Buckets with versions", .enabled(if: Boto3.isInstalled))
struct VersionTests {
    @Test("Every write is a version, a delete puts a marker, and each version is read, copied and deleted by its id")
    func versions() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
                refused("IllegalVersioningConfigurationException", s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Sometimes"})
                old = s3.put_object(Bucket=bucket, Key="k", Body=b"zero"); assert "VersionId" not in old
                assert "VersionId" not in s3.head_object(Bucket=bucket, Key="k") and "VersionId" not in s3.delete_object(Bucket=bucket, Key="none")
                def versioning(status): s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status}); assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
                versioning("Enabled")
                assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
                one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
                two = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
                assert len({one, two, "null"}) == 3
                read = lambda **named: s3.get_object(Bucket=bucket, Key="k", **named)
                for version, body in [("null", b"zero"), (one, b"one"), (two, b"two")]:
                    got = read(VersionId=version); assert got["Body"].read() == body and got["VersionId"] == version
                assert read()["VersionId"] == two
                refused("NoSuchVersion", read, VersionId="0" * 32)
                refused("InvalidArgument", read, VersionId="v1")
                marker = s3.delete_object(Bucket=bucket, Key="k"); assert marker["DeleteMarker"] is True and marker["VersionId"] not in (one, two, "null")
                gone = refused("NoSuchKey", read)["ResponseMetadata"]["HTTPHeaders"]
                assert gone["x-amz-delete-marker"] == "true" and gone["x-amz-version-id"] == marker["VersionId"]
                named = refused("MethodNotAllowed", read, VersionId=marker["VersionId"])["ResponseMetadata"]["HTTPHeaders"]
                assert named["x-amz-delete-marker"] == "true" and named["allow"] == "DELETE"
                assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0 and read(VersionId=two)["Body"].read() == b"two"
                refused("InvalidRequest", s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": marker["VersionId"]})
                refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
                copy = s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k", "VersionId": one})
                assert copy["CopySourceVersionId"] == one and copy["VersionId"] not in (one, two)
                assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"one"
                # A marker is no object for If-None-Match, and none for If-Match.
                refused("NoSuchKey", s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch='"%s"' % hashlib.md5(b"two").hexdigest())
                refused("PreconditionFailed", s3.delete_object, Bucket=bucket, Key="k", IfMatch="*")
                back = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"]); assert back["DeleteMarker"] is True and back["VersionId"] == marker["VersionId"]
                assert read()["Body"].read() == b"two"
                s3.delete_object(Bucket=bucket, Key="k", VersionId=two); assert read()["Body"].read() == b"one"
                s3.delete_object(Bucket=bucket, Key="k", VersionId=two)
                s3.delete_object(Bucket=bucket, Key="k")
                again = s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfNoneMatch="*")["VersionId"]
                refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfNoneMatch="*")
                refused("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
                # Suspended: the null version is the one that is written and marked.
                versioning("Suspended")
                put = s3.put_object(Bucket=bucket, Key="k", Body=b"null again"); assert put["VersionId"] == "null"
                assert read()["Body"].read() == b"null again" and read(VersionId="null")["Body"].read() == b"null again"
                marker = s3.delete_object(Bucket=bucket, Key="k"); assert marker["VersionId"] == "null" and marker["DeleteMarker"] is True
                refused("MethodNotAllowed", read, VersionId="null"); refused("NoSuchKey", read)
                assert read(VersionId=again)["Body"].read() == b"again"
                s3.delete_object(Bucket=bucket, Key="k", VersionId="null"); assert read()["Body"].read() == b"again"
                listed = s3.list_object_versions(Bucket=bucket)
                everything = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in listed.get("Versions", []) + listed.get("DeleteMarkers", [])]
                deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": everything})
                assert len(deleted["Deleted"]) == len(everything) and "Errors" not in deleted, deleted
                s3.delete_bucket(Bucket=bucket)
                """#,
                against: server
            )
        }
    }

    @Test("Versions are listed by key and age, in pages of any size, grouped, and past versions deleted meanwhile")
    func listing() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                s3.put_object(Bucket=bucket, Key="a", Body=b"null")
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
                expected = []
                for key in ["a", "b/1", "b/2", "c"]:
                    for number in range(3): expected.append((key, s3.put_object(Bucket=bucket, Key=key, Body=b"%d" % number)["VersionId"], False))
                for key in ["a", "c", "never"]: expected.append((key, s3.delete_object(Bucket=bucket, Key=key)["VersionId"], True))
                expected.reverse(); expected.append(("a", "null", False)); expected.sort(key=lambda e: e[0])
                def pages(meanwhile=lambda v: None, **named):
                    found, prefixes, latest, token = [], [], [], {}
                    while True:
                        page = s3.list_object_versions(Bucket=bucket, **named, **token)
                        both = [(v["Key"], v["VersionId"], "Size" not in v, v["IsLatest"]) for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
                        order = {(e[0], e[1]): i for i, e in enumerate(expected)}; both.sort(key=lambda v: order[v[:2]])
                        found += [v[:3] for v in both]; latest += [v[:2] for v in both if v[3]]
                        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                        if not page["IsTruncated"]: return found, prefixes, latest
                        token = {"KeyMarker": page["NextKeyMarker"], **({"VersionIdMarker": page["NextVersionIdMarker"]} if "NextVersionIdMarker" in page else {})}
                        meanwhile(page)
                newest = [next(e for e in expected if e[0] == key)[:2] for key in ["a", "b/1", "b/2", "c", "never"]]
                for maximum in [1, 2, 3, 5, 1000]:
                    assert pages(MaxKeys=maximum) == (expected, [], newest), pages(MaxKeys=maximum)
                    assert pages(MaxKeys=maximum, Prefix="b/") == ([e for e in expected if e[0].startswith("b/")], [], newest[1:3])
                    assert pages(MaxKeys=maximum, Delimiter="/") == ([e for e in expected if "/" not in e[0]], ["b/"], [newest[0]] + newest[3:])
                def remove(page): s3.delete_object(Bucket=bucket, Key=page["NextKeyMarker"], VersionId=page["NextVersionIdMarker"])
                refused("InvalidArgument", s3.list_object_versions, Bucket=bucket, VersionIdMarker="null")
                assert pages(remove, MaxKeys=1)[0] == expected
                assert pages()[0] == expected[-1:]
                """#,
                against: server
            )
        }
    }

    @Test("Versions, markers and tags are there after a restart; a folder of the first release is read as it was")
    func restart() async throws {
        let directory = try await TestDevServer.run { $0.directory }
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await TestDevServer.run(configure: { $0.directory = directory }) { server in
            try await Boto3.run(
                #"""
                s3.put_object(Bucket=bucket, Key="k", Body=b"null", Tagging="a=b")
                s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
                one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
                s3.put_object_tagging(Bucket=bucket, Key="k", VersionId="null", Tagging={"TagSet": [{"Key": "new", "Value": "null"}]})
                s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "new", "Value": "one"}]})
                s3.put_object(Bucket=bucket, Key="marked", Body=b"x"); s3.delete_object(Bucket=bucket, Key="marked")
                """#,
                against: server
            )
        }
        try await TestDevServer.run(configure: { $0.directory = directory }) { server in
            try await Boto3.run(
                #"""
                assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
                listed = s3.list_object_versions(Bucket=bucket)
                assert [(v["Key"], v["VersionId"] == "null", v["IsLatest"]) for v in listed["Versions"]] == [("k", False, True), ("k", True, False), ("marked", False, False)], listed
                assert [(m["Key"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [("marked", True)]
                tags = lambda **named: s3.get_object_tagging(Bucket=bucket, Key="k", **named)["TagSet"]
                assert tags() == [{"Key": "new", "Value": "one"}] and tags(VersionId="null") == [{"Key": "new", "Value": "null"}]
                assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
                later = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
                assert s3.list_object_versions(Bucket=bucket, MaxKeys=1)["Versions"][0]["VersionId"] == later
                """#,
                against: server
            )
        }
    }
}
