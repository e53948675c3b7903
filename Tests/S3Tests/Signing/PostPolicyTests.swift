import Foundation
import S3
import Testing

@Suite("POST policies")
struct PostPolicyTests {
    let credentials = SigV4Tests.credentials
    let now = Timestamp.parseISO8601("2015-12-29T00:00:00Z")!

    @Test("AWS's example policy has AWS's signature")
    func example() {
        let policy = #"""
            { "expiration": "2015-12-30T12:00:00.000Z",
              "conditions": [
                {"bucket": "sigv4examplebucket"},
                ["starts-with", "$key", "user/user1/"],
                {"acl": "public-read"},
                {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
                ["starts-with", "$Content-Type", "image/"],
                {"x-amz-meta-uuid": "14365123651274"},
                {"x-amz-server-side-encryption": "AES256"},
                ["starts-with", "$x-amz-meta-tag", ""],

                {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
                {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
                {"x-amz-date": "20151229T000000Z" }
              ]
            }
            """#
        // The published Base64 has Windows' line ends.
        let encoded = Data(policy.replacing("\n", with: "\r\n").utf8).base64EncodedString()
        let key = SigV4.signingKey(secret: self.credentials.secretAccessKey, date: "20151229", region: "us-east-1")
        #expect(
            SigV4.signature(of: encoded, key: key) == "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
        )
    }

    func policy(key: PostPolicy.Rule = .startsWith("tmp/x/"), type: PostPolicy.Rule = .startsWith("image/")) -> PostPolicy {
        PostPolicy(
            bucket: "b",
            key: key,
            contentType: type,
            contentLength: 1...5_000_000_000,
            expiration: self.now.addingTimeInterval(3600)
        )
    }

    @Test("The document holds every condition, and the fields of the form are those that are signed")
    func document() throws {
        var session = self.credentials
        session.sessionToken = "to/ken=="
        let policy = self.policy()
        #expect(
            policy.json(credentials: session, region: "us-east-1", now: self.now)
                == #"{"expiration":"2015-12-29T01:00:00.000Z","conditions":[{"bucket":"b"},["starts-with","$key","tmp/x/"],"#
                + #"{"success_action_status":"201"},["starts-with","$Content-Type","image/"],["content-length-range",1,5000000000],"#
                + #"{"x-amz-algorithm":"AWS4-HMAC-SHA256"},"#
                + #"{"x-amz-credential":"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#
                + #"{"x-amz-date":"20151229T000000Z"},{"x-amz-security-token":"to/ken=="}]}"#
        )
        let fields = policy.fields(credentials: session, region: "us-east-1", now: self.now)
        #expect(
            fields.map(\.name) == [
                "key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "policy", "x-amz-signature",
            ]
        )
        #expect(fields[0].value == "tmp/x/${filename}")
        let verified = try SigV4.verifyPost(fields: fields, region: "us-east-1") { _ in session }
        #expect(verified.accessKeyID == session.accessKeyID)
    }

    @Test("Exact keys, types and further fields are exact conditions, and the fields are given to the form")
    func exact() throws {
        var policy = self.policy(key: .exact("tmp/k"), type: .exact("application/pdf"))
        policy.fields = [("x-amz-meta-a", .exact("1")), ("x-amz-meta-b", .startsWith(""))]
        let json = policy.json(credentials: self.credentials, region: "us-east-1", now: self.now)
        for condition in [
            #"{"key":"tmp/k"}"#, #"{"Content-Type":"application/pdf"}"#, #"{"x-amz-meta-a":"1"}"#,
            #"["starts-with","$x-amz-meta-b",""]"#,
        ] {
            #expect(json.contains(condition))
        }
        let fields = policy.fields(credentials: self.credentials, region: "us-east-1", now: self.now)
        #expect(fields.prefix(2).map(\.name) == ["key", "x-amz-meta-a"])
        #expect(fields[0].value == "tmp/k")
    }

    @Test("A policy ends with the credentials when those end first")
    func expiry() {
        var session = self.credentials
        session.expiration = self.now.addingTimeInterval(60)
        #expect(
            self.policy().json(credentials: session, region: "us-east-1", now: self.now)
                .hasPrefix(#"{"expiration":"2015-12-29T00:01:00.000Z""#)
        )
    }

    @Test("Any text is valid JSON, without escapes that JSON does not ask for")
    func escapes() throws {
        let awkward = "ünï/🦊\"\\\u{1}\t\r\n'<&>/"
        let json = self.policy(key: .startsWith(awkward)).json(credentials: self.credentials, region: "us-east-1", now: self.now)
        #expect(json.contains("ünï/🦊\\\"\\\\\\u0001\\t\\r\\n'<&>/"))
        let decoded = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let conditions = try #require(decoded?["conditions"] as? [Any])
        #expect(conditions.contains { ($0 as? [String]) == ["starts-with", "$key", awkward] })
    }
}
