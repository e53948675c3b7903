import Foundation
import TestEnvironment
import Testing

@Suite("Listings", .enabled(if: Boto3.isInstalled))
struct ListingTests {
    @Test("The first version's listing goes on behind an object that is named as the prefix is")
    func folderObject() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                for key in ["a/", "a/1", "a/b/1", "a/c"]: s3.put_object(Bucket=bucket, Key=key, Body=b"x")
                for maximum in [1, 2, 1000]:
                    keys, prefixes, marker = [], [], ""
                    while True:
                        page = s3.list_objects(Bucket=bucket, Prefix="a/", Delimiter="/", Marker=marker, MaxKeys=maximum)
                        keys += [o["Key"] for o in page.get("Contents", [])]; prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                        if not page["IsTruncated"]: break
                        marker = page["NextMarker"]
                    assert (keys, prefixes) == (["a/", "a/1", "a/c"], ["a/b/"]), (maximum, keys, prefixes)
                """#,
                against: server
            )
        }
    }

    @Test("Multipart uploads and parts are listed in pages, grouped, from any marker")
    func uploads() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                keys = ["a", "a", "b/1", "b/1", "b/2", "c d", "e/x/1", "e/y/2", "é"]
                made = [(k, s3.create_multipart_upload(Bucket=bucket, Key=k, StorageClass="STANDARD_IA")["UploadId"]) for k in keys]
                def pages(**named):
                    found, prefixes, token = [], [], {}
                    while True:
                        page = s3.list_multipart_uploads(Bucket=bucket, **named, **token)
                        found += [(u["Key"], u["UploadId"]) for u in page.get("Uploads", [])]; prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                        assert len(page.get("Uploads", [])) + len(page.get("CommonPrefixes", [])) <= named.get("MaxUploads", 1000)
                        if not page["IsTruncated"]: return found, prefixes
                        token = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
                same = lambda one, other: ([k for k, _ in one[0]], set(one[0]), one[1]) == ([k for k, _ in other[0]], set(other[0]), other[1])
                for maximum in [1, 2, 3, 1000]:
                    assert same(pages(MaxUploads=maximum), (made, [])), pages(MaxUploads=maximum)
                    assert same(pages(MaxUploads=maximum, Delimiter="/"), ([m for m in made if "/" not in m[0]], ["b/", "e/"])), pages(MaxUploads=maximum, Delimiter="/")
                    assert same(pages(MaxUploads=maximum, Prefix="b/"), (made[2:5], []))
                    assert same(pages(MaxUploads=maximum, Prefix="e/", Delimiter="/"), ([], ["e/x/", "e/y/"]))
                assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket, KeyMarker="b/1")["Uploads"]] == keys[4:]
                # As somebody does who gives up each page before the next is asked for.
                many = [s3.create_multipart_upload(Bucket=bucket, Key="many")["UploadId"] for _ in range(5)]; seen, token = [], {}
                while True:
                    page = s3.list_multipart_uploads(Bucket=bucket, Prefix="many", MaxUploads=2, **token); seen += [u["UploadId"] for u in page.get("Uploads", [])]
                    for u in page.get("Uploads", []): s3.abort_multipart_upload(Bucket=bucket, Key="many", UploadId=u["UploadId"])
                    if not page["IsTruncated"]: break
                    token = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
                assert sorted(seen) == sorted(many), (seen, many)
                first = s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]; assert first["StorageClass"] == "STANDARD_IA" and first["Initiated"] and first["Owner"]["ID"] and first["Initiator"]["ID"]
                key, upload = made[0]
                for n in [3, 1, 10000, 7]: s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=n, Body=b"x" * n)
                def parts(**named):
                    found, token = [], {}
                    while True:
                        page = s3.list_parts(Bucket=bucket, Key=key, UploadId=upload, **named, **token); found += [(p["PartNumber"], p["Size"]) for p in page.get("Parts", [])]
                        if not page["IsTruncated"]: return found
                        token = {"PartNumberMarker": page["NextPartNumberMarker"]}
                for maximum in [1, 2, 3, 1000]: assert parts(MaxParts=maximum) == [(n, n) for n in [1, 3, 7, 10000]]
                assert "Parts" not in s3.list_parts(Bucket=bucket, Key=key, UploadId=upload, PartNumberMarker=10000)
                refused("NoSuchUpload", s3.list_parts, Bucket=bucket, Key="other", UploadId=upload); refused("NoSuchUpload", s3.list_parts, Bucket=bucket, Key=key, UploadId="../../x")
                for n in [0, 10001]: refused("InvalidArgument", s3.upload_part, Bucket=bucket, Key=key, UploadId=upload, PartNumber=n, Body=b"")
                refused("NoSuchBucket", s3.list_multipart_uploads, Bucket="no-such-bucket")
                """#,
                against: server
            )
        }
    }

    @Test("Objects are listed with every parameter of both versions of the operation")
    func objects() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                for key in ["a b", "a/1", "a/2", "b+c", "d", "é&<>"]: s3.put_object(Bucket=bucket, Key=key, Body=b"x")
                v2 = lambda **named: s3.list_objects_v2(Bucket=bucket, **named)
                assert "Owner" not in v2()["Contents"][0] and v2(FetchOwner=True)["Contents"][0]["Owner"]["ID"]
                page = v2(MaxKeys=2, StartAfter="a b"); assert [c["Key"] for c in page["Contents"]] == ["a/1", "a/2"] and page["StartAfter"] == "a b" and page["MaxKeys"] == 2 and page["IsTruncated"]
                more = v2(MaxKeys=2, StartAfter="zzz", ContinuationToken=page["NextContinuationToken"]); assert [c["Key"] for c in more["Contents"]] == ["b+c", "d"] and more["ContinuationToken"] == page["NextContinuationToken"]
                assert v2(MaxKeys=0)["KeyCount"] == 0 and not v2(MaxKeys=0)["IsTruncated"] and v2(MaxKeys=5000)["MaxKeys"] == 1000
                assert [p["Prefix"] for p in v2(Delimiter="/", StartAfter="a/1")["CommonPrefixes"]] == ["a/"]
                assert [p["Prefix"] for p in v2(Delimiter="b")["CommonPrefixes"]] == ["a b", "b"]
                bare = lambda query: http_pool.request("GET", s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, **query}))
                raw = http_pool.request("GET", s3.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "EncodingType": "url"})).data.decode()
                assert "<Key>a%20b</Key>" in raw and "<Key>b%2Bc</Key>" in raw and "<Key>a/1</Key>" in raw and "<EncodingType>url</EncodingType>" in raw, raw
                v1 = lambda **named: s3.list_objects(Bucket=bucket, **named)
                first = v1(MaxKeys=2); assert first["IsTruncated"] and "NextMarker" not in first and first["Contents"][0]["Owner"]["ID"] and first["Marker"] == ""
                second = v1(MaxKeys=2, Marker=first["Contents"][-1]["Key"]); assert [c["Key"] for c in second["Contents"]] == ["a/2", "b+c"]
                grouped = v1(MaxKeys=2, Delimiter="/"); assert grouped["NextMarker"] == "a/" and [c["Key"] for c in v1(Delimiter="/", Marker="a/")["Contents"]] == ["b+c", "d", "é&<>"]
                for bad in [dict(MaxKeys=-1), dict(EncodingType="base64")]: refused("InvalidArgument", v2, **bad)
                """#,
                against: server
            )
        }
    }
}
