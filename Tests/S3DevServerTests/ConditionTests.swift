import Foundation
import NIOCore
import S3
import S3DevServer
import TestEnvironment
import Testing

@Suite("Conditions")
struct ConditionTests {
    /// A PUT in two halves, with something done in between. The first is big enough to be written before the second has come.
    private func slowPut(
        _ server: TestDevServer,
        _ condition: (name: String, value: String),
        _ meanwhile: @Sendable () async throws -> Void
    ) async throws -> String {
        let target = "/\(server.bucket)/k"
        let headers = server.signed("PUT", target, headers: [condition], payloadHash: "UNSIGNED-PAYLOAD")
        let head = "PUT \(target) HTTP/1.1\r\n" + headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        return try await server.exchange(
            head + "content-length: 600004\r\nconnection: close\r\n\r\n" + String(repeating: "x", count: 600_000),
            then: "half",
            when: {
                #expect(try await eventuallyTrue { try temporaryFiles(of: server).count == 1 })
                try await meanwhile()
            }
        )
    }

    @Test("A conditional write that loses to another write or a delete while it goes on hears 409, and changes nothing")
    func races() async throws {
        try await TestDevServer.run { server async throws in
            try await server.withClient { client in
                let bucket = server.bucket
                let lost = try await self.slowPut(server, ("if-none-match", "*")) {
                    _ = try await client.putObject(bucket: bucket, key: "k", body: ByteBuffer(string: "first"))
                }
                #expect(lost.hasPrefix("HTTP/1.1 409"))
                #expect(lost.contains("<Code>ConditionalRequestConflict</Code>"))
                let etag = try await client.headObject(bucket: bucket, key: "k").etag
                let changed = try await self.slowPut(server, ("if-match", etag)) {
                    _ = try await client.putObject(bucket: bucket, key: "k", body: ByteBuffer(string: "second"))
                }
                #expect(changed.contains("<Code>ConditionalRequestConflict</Code>"))
                let second = try await client.headObject(bucket: bucket, key: "k")
                #expect(second.size == 6)
                let deleted = try await self.slowPut(server, ("if-match", second.etag)) {
                    try await client.deleteObject(bucket: bucket, key: "k")
                }
                #expect(deleted.contains("<Code>ConditionalRequestConflict</Code>"))
                let gone = await #expect(throws: S3Error.self) { try await client.headObject(bucket: bucket, key: "k") }
                #expect(gone?.status == 404)
                let won = try await self.slowPut(server, ("if-none-match", "*")) {}
                #expect(won.hasPrefix("HTTP/1.1 200"))
                let late = try await self.slowPutExpectingRefusal(server)
                #expect(late.contains("<Code>PreconditionFailed</Code>"))
            }
            #expect(try temporaryFiles(of: server).isEmpty)
        }
    }

    private func slowPutExpectingRefusal(_ server: TestDevServer) async throws -> String {
        let target = "/\(server.bucket)/k"
        let headers = server.signed("PUT", target, headers: [("if-none-match", "*")], payloadHash: "UNSIGNED-PAYLOAD")
        return try await server.raw("PUT", target, headers, Array("content".utf8))
    }

    @Test("Copies, completed uploads, forms and deletes keep their conditions", .enabled(if: Boto3.isInstalled))
    func operations() async throws {
        try await TestDevServer.run(configure: { $0.minimumPartSize = 1 }) { server in
            try await Boto3.run(
                #"""
                etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]; source = {"Bucket": bucket, "Key": "k"}
                when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]; hour = datetime.timedelta(hours=1)
                def copy(key="k2", **named): return s3.copy_object(Bucket=bucket, Key=key, CopySource=source, **named)
                copy(IfNoneMatch="*"); refused("PreconditionFailed", copy, IfNoneMatch="*")
                copy(IfMatch=etag); refused("PreconditionFailed", copy, IfMatch='"x"'); refused("NoSuchKey", copy, key="none", IfMatch=etag)
                for bad in [dict(CopySourceIfMatch='"x"'), dict(CopySourceIfNoneMatch=etag), dict(CopySourceIfUnmodifiedSince=when - hour), dict(CopySourceIfModifiedSince=when)]:
                    refused("PreconditionFailed", copy, **bad)
                copy(CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=when - hour)
                refused("PreconditionFailed", copy, CopySourceIfNoneMatch=etag, CopySourceIfModifiedSince=when - hour)
                def upload(key, **named):
                    made = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
                    refused("PreconditionFailed", s3.upload_part_copy, Bucket=bucket, Key=key, UploadId=made, PartNumber=1, CopySource=source, CopySourceIfMatch='"x"')
                    part = s3.upload_part_copy(Bucket=bucket, Key=key, UploadId=made, PartNumber=1, CopySource=source, CopySourceIfMatch=etag)["CopyPartResult"]["ETag"]
                    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=made, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}, **named)
                refused("PreconditionFailed", upload, "k", IfNoneMatch="*"); refused("PreconditionFailed", upload, "k", IfMatch='"x"'); refused("NoSuchKey", upload, "none", IfMatch=etag)
                upload("new", IfNoneMatch="*"); upload("k2", IfMatch=etag)
                refused("InvalidRequest", upload, "k3", MpuObjectSize=4); upload("k3", MpuObjectSize=3)
                form = s3.generate_presigned_post(bucket, "k", Fields={"If-None-Match": "*"}, Conditions=[{"If-None-Match": "*"}]); said(post(form), 412, "PreconditionFailed")
                form = s3.generate_presigned_post(bucket, "form", Fields={"If-None-Match": "*"}, Conditions=[{"If-None-Match": "*"}]); assert post(form).status == 204; said(post(form), 412, "PreconditionFailed")
                refused("NotImplemented", s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch=etag)
                delete = lambda key="k", **named: s3.delete_object(Bucket=bucket, Key=key, **named)
                refused("PreconditionFailed", delete, IfMatch='"x"'); refused("NoSuchKey", delete, key="none", IfMatch="*"); refused("NotImplemented", delete, IfMatchSize=3)
                batch = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"x"'}, {"Key": "none", "ETag": etag}, {"Key": "new", "ETag": "*"}]})
                assert [(e["Key"], e["Code"]) for e in batch["Errors"]] == [("k", "PreconditionFailed"), ("none", "NoSuchKey")] and [d["Key"] for d in batch["Deleted"]] == ["new"]
                delete(IfMatch=etag.strip('"')); refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="k")
                """#,
                against: server
            )
        }
    }
}
