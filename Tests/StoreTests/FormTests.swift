import Foundation
import NIOCore
import S3
import TestEnvironment
import Testing

/// Policies made by us are accepted and refused by each store as they should be.
@Suite(.timeLimit(.minutes(3))) struct FormTests {
    /// Something that a policy does not allow: how the policy or the form differ from those that are accepted.
    struct Violation: Sendable {
        var name: String
        /// What S3 answers.
        var code: String
        var policy: @Sendable (inout PostPolicy) -> Void = { _ in }
        var form: @Sendable (inout PostedForm) -> Void = { _ in }
    }

    static let violations: [Violation] = [
        .init(name: "a file that is too small", code: "EntityTooSmall", form: { $0.file = "" }),
        .init(name: "a file that is too large", code: "EntityTooLarge", form: { $0.file = String(repeating: "x", count: 1001) }),
        .init(name: "another type", code: "AccessDenied", form: { $0["Content-Type"] = "text/html" }),
        .init(name: "no type", code: "AccessDenied", form: { $0["Content-Type"] = nil }),
        .init(name: "another key", code: "AccessDenied", form: { $0["key"] = "tmp/s3file/other" }),
        .init(name: "the folder without its slash", code: "AccessDenied", form: { $0["key"] = "tmp/s3file/ünï" }),
        .init(
            name: "another key than the exact one",
            code: "AccessDenied",
            policy: { $0.key = .exact("tmp/a") },
            form: { $0["key"] = "tmp/b" }
        ),
        .init(
            name: "an exact key and more",
            code: "AccessDenied",
            policy: { $0.key = .exact("tmp/a") },
            form: { $0["key"] = "tmp/a/${filename}" }
        ),
        .init(name: "another success status", code: "AccessDenied", form: { $0["success_action_status"] = "200" }),
        .init(name: "no success status", code: "AccessDenied", form: { $0["success_action_status"] = nil }),
        .init(name: "a field that is not in the policy", code: "AccessDenied", form: { $0["x-amz-meta-more"] = "1" }),
        .init(name: "an ACL that is not in the policy", code: "AccessDenied", form: { $0["acl"] = "public-read" }),
        .init(name: "another value of a field", code: "AccessDenied", form: { $0["x-amz-meta-upload"] = "other" }),
        .init(name: "a field of the policy left out", code: "AccessDenied", form: { $0["x-amz-meta-upload"] = nil }),
        .init(name: "a policy that is over", code: "AccessDenied", policy: { $0.expiration = Date(timeIntervalSinceNow: -1) }),
        .init(
            name: "another policy under the signature",
            code: "SignatureDoesNotMatch",
            form: { form in
                let policy = Data(base64Encoded: form["policy"] ?? "").map { String(decoding: $0, as: UTF8.self) } ?? ""
                form["policy"] = Data(policy.replacing(",1000]", with: ",9000]").utf8).base64EncodedString()
            }
        ),
        .init(
            name: "another signature",
            code: "SignatureDoesNotMatch",
            form: { form in
                form["x-amz-signature"] = String((form["x-amz-signature"] ?? "").reversed())
            }
        ),
        .init(name: "no signature", code: "InvalidArgument", form: { $0["x-amz-signature"] = nil }),
        .init(name: "no policy", code: "AccessDenied", form: { $0["policy"] = nil }),
        .init(
            name: "somebody else's access key",
            code: "InvalidAccessKeyId",
            form: { form in
                form["x-amz-credential"] = "nobody" + (form["x-amz-credential"] ?? "").drop { $0 != "/" }
            }
        ),
    ]

    func policy(_ bucket: String) -> PostPolicy {
        PostPolicy(
            bucket: bucket,
            key: .startsWith("tmp/s3file/ünï/"),
            contentType: .startsWith("image/"),
            contentLength: 1...1000,
            expiration: Date(timeIntervalSinceNow: 600),
            fields: [("x-amz-meta-upload", .exact("id"))]
        )
    }

    @Test(arguments: KnownStore.available)
    func `what the policy allows is stored, and the answer names it`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let named = try await PostedForm(here.client.presignedPost(self.policy(here.name))).post(here.httpClient)
            #expect(named.status == 201)
            #expect(named.document?["Key"]?.text == "tmp/s3file/ünï/photo 1.png")

            var awkward = PostedForm(try await here.client.presignedPost(self.policy(here.name)))
            let key = "tmp/s3file/ünï/100%&<+>文🦊"
            awkward["key"] = key
            awkward.file = String(repeating: "y", count: 1000)
            let answer = try await awkward.post(here.httpClient)
            #expect(answer.status == 201)
            #expect(answer.document?["Key"]?.text == key && answer.document?["Bucket"]?.text == here.name)
            let head = try await here.head(key)
            #expect(head.size == 1000 && head.contentType == "image/png" && head.metadata == ["upload": "id"])
            #expect(S3ObjectHead.isSameETag(head.etag, answer.document?["ETag"]?.text ?? ""))
        }
    }

    @Test(arguments: KnownStore.available)
    func `exact keys and types, other statuses, and headers of the object`(store: KnownStore) async throws {
        try await store.withBucket { here in
            for (key, status) in [("tmp/exact \"quoted\" \\ 🦊", 201), ("tmp/no \u{1} control", 204), ("tmp/a", 200)] {
                var policy = self.policy(here.name)
                policy.key = .exact(key)
                policy.contentType = .exact("application/pdf")
                policy.contentLength = 100...100
                policy.successStatus = status
                policy.fields = [
                    ("Content-Disposition", .exact("attachment; filename=\"a b\"")), ("Cache-Control", .exact("no-store")),
                ]
                let form = PostedForm(
                    try await here.client.presignedPost(policy),
                    status: String(status),
                    type: "application/pdf"
                )
                let answer = try await form.post(here.httpClient)
                #expect(answer.status == status, "\(key.debugDescription): \(answer.code)")
                let head = try await here.head(key)
                #expect(head.contentType == "application/pdf" && head.size == 100)
                let kept = here.traits.keepsFormHeaders
                #expect(head.contentDisposition == (kept ? "attachment; filename=\"a b\"" : nil))
                #expect(head.cacheControl == (kept ? "no-store" : nil))
            }
        }
    }

    @Test(arguments: KnownStore.available)
    func `each condition that is violated has the form refused, and nothing is stored`(store: KnownStore) async throws {
        try await store.withBucket { here in
            for violation in Self.violations {
                var policy = self.policy(here.name)
                violation.policy(&policy)
                var form = PostedForm(try await here.client.presignedPost(policy))
                violation.form(&form)
                let answer = try await form.post(here.httpClient)
                #expect((400..<500).contains(answer.status), "\(violation.name): \(answer.status) \(answer.code)")
                if store == .devServer { #expect(answer.code == violation.code, "\(violation.name)") }
                if violation.code == "SignatureDoesNotMatch" {
                    #expect(
                        (answer.code == violation.code) == here.traits.tellsWrongFormSignature,
                        "\(violation.name): \(answer.code)"
                    )
                }
                let stored = try await here.keys()
                #expect(stored.isEmpty, "\(violation.name)")
                if !stored.isEmpty { _ = try await here.client.deleteObjects(bucket: here.name, stored.map { .init(key: $0) }) }
            }
        }
    }

    @Test(arguments: KnownStore.available)
    func `a form for one bucket is refused by another`(store: KnownStore) async throws {
        try await store.withBucket { here in
            try await TestStore.withBucket(of: here.client) { other in
                var form = PostedForm(try await here.client.presignedPost(self.policy(here.name)))
                form.url = form.url.replacing(here.name, with: other)
                let answer = try await form.post(here.httpClient)
                #expect((400..<500).contains(answer.status), "\(answer.status)")
                let stored = try await here.client.listObjects(bucket: other).objects
                #expect(stored.isEmpty)
            }
        }
    }
}
