import Foundation
import S3DevServer
import Subprocess
import TestEnvironment
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The most memory this process ever had, in kilobytes.
private func peakMemory() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
}

@Suite("Memory", .enabled(if: Boto3.isInstalled && FileManager.default.fileExists(atPath: "/proc/self/status")))
struct MemoryTests {
    @Test("Uploads and downloads of 300 MB leave the server's memory as it was")
    func large() async throws {
        // In a process of its own, whose memory no other test grows.
        let result = try await ExitTests.turn.take {
            await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
                try await TestDevServer.run { server in
                    let script = #"""
                        class Zeros:
                            def __init__(self, size): self.left = size
                            def read(self, n=-1):
                                n = min(self.left, 1 << 16 if n is None or n < 0 else n); self.left -= n; return b"\0" * n
                        def put(size):
                            url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "put"}))
                            c = http.client.HTTPConnection(url.netloc); c.request("PUT", url.path + "?" + url.query, Zeros(size), {"Content-Length": str(size)})
                            answer = c.getresponse(); body = answer.read(); assert answer.status == 200, body
                        def form(size):
                            given = s3.generate_presigned_post(bucket, "post")
                            head = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (k.encode(), v.encode()) for k, v in given["fields"].items())
                            head += b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'; tail = b"\r\n--b--\r\n"
                            url = urllib.parse.urlsplit(given["url"]); c = http.client.HTTPConnection(url.netloc)
                            c.putrequest("POST", url.path); c.putheader("Content-Type", "multipart/form-data; boundary=b")
                            c.putheader("Content-Length", str(len(head) + size + len(tail))); c.endheaders(); c.send(head); c.send(Zeros(size)); c.send(tail)
                            answer = c.getresponse(); body = answer.read(); assert answer.status == 204, body
                        def get(key, size):
                            body, total = s3.get_object(Bucket=bucket, Key=key)["Body"], 0
                            for chunk in body.iter_chunks(1 << 16): total += len(chunk)
                            assert total == size, total
                        def multipart(size):
                            upload = s3.create_multipart_upload(Bucket=bucket, Key="multipart")["UploadId"]; parts = []
                            for n in (1, 2, 3):
                                url = urllib.parse.urlsplit(s3.generate_presigned_url("upload_part", Params={"Bucket": bucket, "Key": "multipart", "UploadId": upload, "PartNumber": n}))
                                c = http.client.HTTPConnection(url.netloc); c.request("PUT", url.path + "?" + url.query, Zeros(size // 3), {"Content-Length": str(size // 3)})
                                answer = c.getresponse(); body = answer.read(); assert answer.status == 200, body
                                parts.append({"PartNumber": n, "ETag": answer.headers["etag"]})
                            done = s3.complete_multipart_upload(Bucket=bucket, Key="multipart", UploadId=upload, MultipartUpload={"Parts": parts})
                            assert done["ChecksumType"] == "FULL_OBJECT", done
                        size = int(os.environ.get("SIZE", "0"))
                        multipart(max(size, 18_000_000)); put(size); form(size); get("put", size); get("post", size)
                        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
                        """#
                    try await Boto3.run("os.environ['SIZE'] = '5000000'\n" + script, against: server)
                    let before = peakMemory()
                    try await Boto3.run("os.environ['SIZE'] = '300000000'\n" + script, against: server)
                    let growth = peakMemory() - before
                    print("peak memory grew by \(growth) kB over \(before) kB")
                    precondition(before > 0 && growth < 50_000, "peak memory grew by \(growth) kB")
                }
            }
        }
        let said = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        #expect(said.contains("peak memory grew by"))
        print(said.split(separator: "\n").last { $0.hasPrefix("peak") } ?? "")
    }

    @Test("An upload of more parts than files may be open is completed")
    func descriptors() async throws {
        _ = try await ExitTests.turn.take {
            await #expect(processExitsWith: .success) {
                try await TestDevServer.run(configure: { $0.minimumPartSize = 1 }) { server in
                    var limit = rlimit(rlim_cur: 200, rlim_max: 200)
                    precondition(setrlimit(__rlimit_resource_t(7), &limit) == 0)  // RLIMIT_NOFILE
                    try await Boto3.run(
                        #"""
                        upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]; parts = []
                        for n in range(1, 301): parts.append({"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=b"%d," % n)["ETag"]})
                        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
                        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(b"%d," % n for n in range(1, 301))
                        """#,
                        against: server
                    )
                }
            }
        }
    }
}
