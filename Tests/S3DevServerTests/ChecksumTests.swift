import Foundation
import TestEnvironment
import Testing

@testable import S3DevServer

@Suite("Checksums")
struct ChecksumTests {
    private func checksum(_ algorithm: Checksum.Algorithm, _ bytes: some Collection<UInt8>) -> String {
        var checksum = Checksum(algorithm)
        Array(bytes).withUnsafeBytes { checksum.update($0) }
        return checksum.base64
    }

    @Test(
        "The CRC of a whole follows from the CRCs and lengths of its parts",
        arguments: [Checksum.Algorithm.crc32, .crc32c, .crc64nvme]
    )
    func combined(algorithm: Checksum.Algorithm) throws {
        let bytes = (0..<100_000).map { _ in UInt8.random(in: .min ... .max) }
        for cuts in [[0], [1], [8, 9], [50_000], [1, 2, 3, 99_999], [0, 0, 65_536, 100_000]] {
            let ends = cuts + [bytes.count]
            let parts = zip([0] + cuts, ends).enumerated().map { number, range in
                let part = bytes[range.0..<range.1]
                return ObjectRecord.Part(
                    number: number + 1,
                    size: Int64(part.count),
                    checksums: [algorithm.headerName: self.checksum(algorithm, part)]
                )
            }
            #expect(Checksum.combine(parts, algorithm, .fullObject) == self.checksum(algorithm, bytes), "\(cuts)")
        }
    }

    @Test("Ten thousand parts of five gibibytes combine at once")
    func large() throws {
        let part = ObjectRecord.Part(number: 1, size: 5 << 30, checksums: ["x-amz-checksum-crc64nvme": "AAAAAAAAAAE="])
        #expect(Checksum.combine(Array(repeating: part, count: 10_000), .crc64nvme, .fullObject)?.isEmpty == false)
        #expect(Checksum.combine([part, ObjectRecord.Part(number: 2, size: 1, checksums: [:])], .crc64nvme, .fullObject) == nil)
    }

    @Test(
        "Every object has a checksum, the client's own or CRC64NVME, in every place where S3 tells it",
        .enabled(if: Boto3.isInstalled)
    )
    func objects() async throws {
        try await TestDevServer.run { server in
            try await Boto3.run(
                #"""
                from botocore.config import Config
                bare = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="s3file-dev", aws_secret_access_key="s3file-dev-secret-key",
                    config=Config(signature_version="s3v4", request_checksum_calculation="when_required", response_checksum_validation="when_required", s3={"addressing_style": "path"}, retries={"max_attempts": 0}))
                crc64 = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
                put = bare.put_object(Bucket=bucket, Key="k", Body=b"123456789")
                assert put["ChecksumCRC64NVME"] == crc64 and put["ChecksumType"] == "FULL_OBJECT", put
                assert "ChecksumCRC64NVME" not in bare.head_object(Bucket=bucket, Key="k")
                head = bare.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED"); assert head["ChecksumCRC64NVME"] == crc64 and head["ChecksumType"] == "FULL_OBJECT"
                assert bare.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == crc64
                assert "ChecksumCRC64NVME" not in bare.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", Range="bytes=0-1")
                listed = bare.list_objects_v2(Bucket=bucket)["Contents"][0]; assert listed["ChecksumAlgorithm"] == ["CRC64NVME"] and listed["ChecksumType"] == "FULL_OBJECT"
                attributes = bare.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
                assert attributes["ETag"] == put["ETag"].strip('"') and attributes["Checksum"] == {"ChecksumCRC64NVME": crc64, "ChecksumType": "FULL_OBJECT"}, attributes
                assert attributes["ObjectSize"] == 9 and attributes["StorageClass"] == "STANDARD" and "ObjectParts" not in attributes
                copied = bare.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})["CopyObjectResult"]; assert copied["ChecksumCRC64NVME"] == crc64
                sha = base64.b64encode(hashlib.sha256(b"123456789").digest()).decode()
                copied = bare.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
                assert copied["ChecksumSHA256"] == sha and "ChecksumCRC64NVME" not in copied
                assert bare.copy_object(Bucket=bucket, Key="d", CopySource={"Bucket": bucket, "Key": "c"})["CopyObjectResult"]["ChecksumSHA256"] == sha
                def filled(**fields): names = {k.replace("_", "-"): v for k, v in fields.items()}; return post(bare.generate_presigned_post(bucket, "form", Fields=names, Conditions=[{k: v} for k, v in names.items()]))
                good = base64.b64encode(hashlib.sha256(b"content").digest()).decode()
                answer = filled(x_amz_checksum_sha256=good); assert answer.status == 204 and answer.headers["x-amz-checksum-sha256"] == good
                said(filled(x_amz_checksum_sha256=sha), 400, "BadDigest")
                said(filled(x_amz_checksum_sha256="nonsense"), 400, "InvalidRequest")
                said(filled(x_amz_checksum_sha256=good, x_amz_checksum_crc32="AAAAAA=="), 400, "InvalidRequest")
                said(filled(Content_MD5=base64.b64encode(hashlib.md5(b"other").digest()).decode()), 400, "BadDigest")
                said(filled(Content_MD5="nonsense"), 400, "InvalidDigest")
                assert bare.head_object(Bucket=bucket, Key="form", ChecksumMode="ENABLED")["ChecksumSHA256"] == good
                for name, length in [("CRC32", 4), ("CRC32C", 4), ("CRC64NVME", 8), ("SHA1", 20), ("SHA256", 32), ("SHA512", 64), ("MD5", 16)]:
                    refused("BadDigest", bare.put_object, Bucket=bucket, Key="bad", Body=b"x", **{"Checksum" + name: base64.b64encode(b"0" * length).decode()})
                    refused("InvalidRequest", bare.put_object, Bucket=bucket, Key="bad", Body=b"x", **{"Checksum" + name: "AAAA"})
                refused("NotImplemented", bare.put_object, Bucket=bucket, Key="bad", Body=b"x", ChecksumXXHASH64="AAAAAAAAAAA=")
                refused("404", bare.head_object, Bucket=bucket, Key="bad")
                """#,
                against: server
            )
        }
    }

    @Test("A multipart upload's checksum is of the whole or of its parts, as was asked", .enabled(if: Boto3.isInstalled))
    func multipart() async throws {
        try await TestDevServer.run(configure: { $0.minimumPartSize = 1 }) { server in
            try await Boto3.run(
                #"""
                from botocore.config import Config
                bare = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="s3file-dev", aws_secret_access_key="s3file-dev-secret-key",
                    config=Config(signature_version="s3v4", request_checksum_calculation="when_required", response_checksum_validation="when_required", s3={"addressing_style": "path"}, retries={"max_attempts": 0}))
                crc64 = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode(); crc32 = base64.b64encode(bytes.fromhex("cbf43926")).decode()
                bodies = [b"1234", b"56", b"789"]
                def upload(client=bare, each={}, **named):
                    made = client.create_multipart_upload(Bucket=bucket, Key="m", **named)
                    parts = [dict(client.upload_part(Bucket=bucket, Key="m", UploadId=made["UploadId"], PartNumber=n + 1, Body=b, **(each(b) if each else {})), PartNumber=n + 1) for n, b in enumerate(bodies)]
                    return made, [{k: v for k, v in p.items() if k in ("ETag", "PartNumber") or k.startswith("Checksum")} for p in parts]
                def complete(made, parts, **named): return bare.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=made["UploadId"], MultipartUpload={"Parts": parts}, **named)
                # Nothing said: CRC64NVME of the whole.
                made, parts = upload(); done = complete(made, [{"ETag": p["ETag"], "PartNumber": p["PartNumber"]} for p in parts])
                assert done["ChecksumCRC64NVME"] == crc64 and done["ChecksumType"] == "FULL_OBJECT", done
                head = bare.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED"); assert head["ChecksumCRC64NVME"] == crc64 and head["ContentLength"] == 9
                # Of the whole, said and checked.
                made, parts = upload(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", each=lambda b: {"ChecksumAlgorithm": "CRC32"})
                assert made["ChecksumAlgorithm"] == "CRC32" and made["ChecksumType"] == "FULL_OBJECT"
                refused("BadDigest", complete, made, parts, ChecksumCRC32="AAAAAA=="); refused("BadDigest", complete, made, parts, ChecksumType="COMPOSITE")
                refused("InvalidPart", complete, made, [dict(parts[0], ChecksumCRC32="AAAAAA==")] + parts[1:])
                refused("InvalidRequest", complete, made, parts, MpuObjectSize=8)
                assert complete(made, parts, ChecksumCRC32=crc32, ChecksumType="FULL_OBJECT", MpuObjectSize=9)["ChecksumCRC32"] == crc32
                # Of the parts.
                made, parts = upload(ChecksumAlgorithm="SHA256", each=lambda b: {"ChecksumAlgorithm": "SHA256"})
                digests = b"".join(hashlib.sha256(b).digest() for b in bodies); composite = base64.b64encode(hashlib.sha256(digests).digest()).decode()
                refused("InvalidRequest", complete, made, [{"ETag": p["ETag"], "PartNumber": p["PartNumber"]} for p in parts])
                done = complete(made, parts); assert done["ChecksumSHA256"] == composite + "-3" and done["ChecksumType"] == "COMPOSITE", done
                assert bare.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")["ChecksumSHA256"] == composite + "-3"
                attributes = bare.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["Checksum", "ObjectParts"], MaxParts=2)
                assert attributes["Checksum"]["ChecksumSHA256"] == composite and attributes["Checksum"]["ChecksumType"] == "COMPOSITE"
                told = attributes["ObjectParts"]; assert told["TotalPartsCount"] == 3 and told["IsTruncated"] is True and [p["Size"] for p in told["Parts"]] == [4, 2], told
                rest = bare.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["ObjectParts"], PartNumberMarker=told["NextPartNumberMarker"])["ObjectParts"]; assert [p["PartNumber"] for p in rest["Parts"]] == [3]
                second = bare.get_object(Bucket=bucket, Key="m", PartNumber=2); assert second["Body"].read() == b"56" and second["PartsCount"] == 3 and second["ContentRange"] == "bytes 4-5/9"
                refused("InvalidPartNumber", bare.get_object, Bucket=bucket, Key="m", PartNumber=4)
                # A copy in one piece has a checksum of the whole.
                whole = bare.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "m"})["CopyObjectResult"]
                assert whole["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"123456789").digest()).decode() and whole["ETag"] == '"%s"' % hashlib.md5(b"123456789").hexdigest()
                made = bare.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm="SHA256")
                refused("InvalidRequest", bare.upload_part, Bucket=bucket, Key="m", UploadId=made["UploadId"], PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
                refused("InvalidRequest", bare.upload_part, Bucket=bucket, Key="m", UploadId=made["UploadId"], PartNumber=1, Body=b"x")
                copied = bare.upload_part_copy(Bucket=bucket, Key="m", UploadId=made["UploadId"], PartNumber=1, CopySource={"Bucket": bucket, "Key": "c"}, CopySourceRange="bytes=4-5")["CopyPartResult"]
                assert copied["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"56").digest()).decode()
                listed = bare.list_parts(Bucket=bucket, Key="m", UploadId=made["UploadId"]); assert listed["ChecksumAlgorithm"] == "SHA256" and listed["Parts"][0]["ChecksumSHA256"] == copied["ChecksumSHA256"]
                refused("InvalidRequest", bare.create_multipart_upload, Bucket=bucket, Key="m", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")
                refused("InvalidRequest", bare.create_multipart_upload, Bucket=bucket, Key="m", ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE")
                # What boto3 does by itself, its own checks included.
                made, parts = upload(s3)
                assert complete(made, parts)["ETag"]
                """#,
                against: server
            )
        }
    }
}
