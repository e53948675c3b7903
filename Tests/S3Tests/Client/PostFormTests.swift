import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import S3
import TestEnvironment
import Testing

/// Forms as a browser posts them, with a policy of ours, at a real store.
@Suite(
    "Presigned forms at a real store",
    .enabled(if: TestStore.isAvailable, "\(TestStore.missing)"),
    .timeLimit(.minutes(2))
)
struct PostFormTests {
    struct Answer {
        var status: Int
        var document: XMLElement?
    }

    func policy(_ bucket: String) -> PostPolicy {
        PostPolicy(
            bucket: bucket,
            key: .startsWith("tmp/s3file/ünï/"),
            contentType: .startsWith("image/"),
            contentLength: 1...1000,
            expiration: Date(timeIntervalSinceNow: 600)
        )
    }

    func post(
        _ client: S3Client,
        _ policy: PostPolicy,
        key: String? = nil,
        type: String = "image/png",
        status: String = "201",
        size: Int = 100,
        change: (inout [(name: String, value: String)]) -> Void = { _ in },
        now: Date = Date()
    ) async throws -> Answer {
        var (url, fields) = try await client.presignedPost(policy, now: now)
        if let key { fields = fields.map { $0.name == "key" ? ($0.name, key) : $0 } }
        change(&fields)
        fields += [("success_action_status", status), ("Content-Type", type)]
        let boundary = "----s3file\(UInt64.random(in: 0 ... .max))"
        var body = ""
        for field in fields {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field.name)\"\r\n\r\n\(field.value)\r\n"
        }
        body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo 1.png\"\r\n"
        body += "Content-Type: \(type)\r\n\r\n\(String(repeating: "x", count: size))\r\n--\(boundary)--\r\n"
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "multipart/form-data; boundary=\(boundary)")
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let answer = try await response.body.collect(upTo: 1 << 16)
        return Answer(status: Int(response.status.code), document: try? XMLReader.read(answer.readableBytesView))
    }

    @Test("What the policy allows is stored, and the answer names it")
    func allowed() async throws {
        try await TestStore.withBucket { client, bucket in
            let named = try await self.post(client, self.policy(bucket))
            #expect(named.status == 201)
            #expect(named.document?["Key"]?.text == "tmp/s3file/ünï/photo 1.png")
            let awkward = "tmp/s3file/ünï/100%&<+>文🦊"
            let answer = try await self.post(client, self.policy(bucket), key: awkward, size: 1000)
            #expect(answer.status == 201)
            #expect(answer.document?["Key"]?.text == awkward)
            #expect(answer.document?["Bucket"]?.text == bucket)
            let head = try await client.headObject(bucket: bucket, key: awkward)
            #expect(head.size == 1000)
            #expect(head.contentType == "image/png")
            let etag = answer.document?["ETag"]?.text ?? ""
            #expect(S3ObjectHead.isSameETag(head.etag, etag))

            var exact = self.policy(bucket)
            exact.key = .exact("tmp/exact \"quoted\" \\ 🦊")
            exact.contentType = .exact("application/pdf")
            exact.fields = [("x-amz-meta-upload", .exact("id"))]
            #expect(try await self.post(client, exact, type: "application/pdf").status == 201)
            let stored = try await client.headObject(bucket: bucket, key: "tmp/exact \"quoted\" \\ 🦊")
            #expect(stored.metadata["upload"] == "id")
        }
    }

    @Test("What the policy does not allow is refused, and nothing is stored")
    func refused() async throws {
        try await TestStore.withBucket { client, bucket in
            let policy = self.policy(bucket)
            func refused(_ answer: Answer, _ name: String) { #expect((400..<500).contains(answer.status), "\(name)") }
            refused(try await self.post(client, policy, size: 0), "too small")
            refused(try await self.post(client, policy, size: 1001), "too large")
            refused(try await self.post(client, policy, type: "text/html"), "wrong type")
            refused(try await self.post(client, policy, key: "tmp/s3file/other"), "wrong key")
            refused(try await self.post(client, policy, key: "tmp/s3file/ünï"), "the folder itself")
            refused(try await self.post(client, policy, status: "200"), "another success status")
            refused(
                try await self.post(client, policy, change: { $0.append(("x-amz-meta-more", "1")) }),
                "a field that is not in the policy"
            )
            refused(
                try await self.post(
                    client,
                    policy,
                    change: { fields in
                        fields = fields.map { $0.name == "x-amz-signature" ? ($0.name, String($0.value.reversed())) : $0 }
                    }
                ),
                "another signature"
            )
            var over = policy
            over.expiration = Date(timeIntervalSinceNow: -1)
            refused(try await self.post(client, over), "an expired policy")
            var elsewhere = policy
            elsewhere.key = .exact("tmp/a")
            refused(try await self.post(client, elsewhere, key: "tmp/b"), "another key than the exact one")
            #expect(try await client.listObjects(bucket: bucket).objects.isEmpty)
        }
    }
}
