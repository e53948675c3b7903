import Foundation
import S3
import Testing

@Suite("Verifying signatures, with AWS's errors")
struct SigV4VerificationTests {
    typealias Pairs = [(name: String, value: String)]

    let credentials = S3Credentials(accessKeyID: "key/with/slash", secretAccessKey: "secret")
    let now = Date(timeIntervalSince1970: 1_700_000_000)
    let host: Pairs = [("host", "127.0.0.1:9000")]

    func verify(
        _ path: String,
        query: Pairs = [],
        headers: Pairs,
        at now: Date? = nil,
        region: String = "us-east-1"
    ) throws -> SigV4.Verified? {
        try SigV4.verify(
            method: "GET",
            rawPath: path,
            query: query,
            headers: headers,
            region: region,
            now: now ?? self.now
        ) { $0 == self.credentials.accessKeyID ? self.credentials : nil }
    }

    func signed(_ path: String, credentials: S3Credentials? = nil) -> Pairs {
        let request = SigV4.Request(
            method: "GET",
            path: path,
            headers: self.host,
            payloadHash: SigV4.emptyPayloadHash
        )
        return self.host
            + SigV4.authorizationHeaders(
                for: request,
                credentials: credentials ?? self.credentials,
                region: "us-east-1",
                now: self.now
            )
    }

    func presigned(_ path: String, expires: Int = 60) -> Pairs {
        SigV4.presignedQuery(
            method: "GET",
            path: path,
            headers: self.host,
            credentials: self.credentials,
            region: "us-east-1",
            expires: .seconds(expires),
            now: self.now
        )
    }

    func code(_ body: () throws -> SigV4.Verified?) -> String {
        do {
            return try body() == nil ? "anonymous" : "verified"
        } catch {
            return (error as? S3Error)?.code.rawValue ?? "\(error)"
        }
    }

    @Test("A request without any signature is anonymous")
    func anonymous() {
        #expect(self.code { try self.verify("/b/k", headers: self.host) } == "anonymous")
    }

    @Test("However the client escapes the path, the same key verifies")
    func escapes() {
        let headers = self.signed("/b/a%2Bb%3D~c%2Fd".replacing("%2F", with: "/"))
        for path in ["/b/a%2Bb%3D~c/d", "/b/a+b=~c/d", "/b/a%2bb%3d%7Ec%2Fd"] {
            #expect(self.code { try self.verify(path, headers: headers) } == "verified")
        }
        #expect(self.code { try self.verify("/b/a%2", headers: headers) } == "InvalidURI")
    }

    @Test("Clocks may differ by a quarter of an hour, either way")
    func skew() {
        let headers = self.signed("/b/k")
        for (offset, expected) in [
            (890.0, "verified"), (-890, "verified"), (910, "RequestTimeTooSkewed"), (-910, "RequestTimeTooSkewed"),
        ] {
            #expect(
                self.code { try self.verify("/b/k", headers: headers, at: self.now.addingTimeInterval(offset)) } == expected
            )
        }
    }

    @Test("Wrong regions, keys, secrets and tokens each have their own error")
    func wrong() {
        let headers = self.signed("/b/k")
        #expect(self.code { try self.verify("/b/k", headers: headers, region: "eu-west-1") } == "AuthorizationHeaderMalformed")
        let unknown = self.signed("/b/k", credentials: S3Credentials(accessKeyID: "x", secretAccessKey: "secret"))
        #expect(self.code { try self.verify("/b/k", headers: unknown) } == "InvalidAccessKeyId")
        let secret = self.signed("/b/k", credentials: S3Credentials(accessKeyID: "key/with/slash", secretAccessKey: "x"))
        #expect(self.code { try self.verify("/b/k", headers: secret) } == "SignatureDoesNotMatch")
        var session = self.credentials
        session.sessionToken = "t"
        #expect(self.code { try self.verify("/b/k", headers: self.signed("/b/k", credentials: session)) } == "InvalidToken")
    }

    @Test("An authorization header that is not one is refused")
    func malformed() {
        let headers = self.signed("/b/k")
        func with(_ change: (String) -> String) -> Pairs {
            headers.map { $0.name == "authorization" ? ($0.name, change($0.value)) : $0 }
        }
        for authorization in [
            "", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 Credential=a,Credential=b",
            "AWS4-HMAC-SHA256 ,,,=,=",
            "AWS4-HMAC-SHA256 Credential=/20231114/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=x",
        ] {
            let code = self.code { try self.verify("/b/k", headers: with { _ in authorization }) }
            #expect(["AuthorizationHeaderMalformed", "InvalidRequest"].contains(code), "\(authorization)")
        }
        #expect(self.code { try self.verify("/b/k", headers: with { _ in "Basic YTpi" }) } == "InvalidRequest")
        #expect(
            self.code { try self.verify("/b/k", headers: with { $0.replacing("host;", with: "") }) }
                == "AuthorizationHeaderMalformed"
        )
        #expect(
            self.code { try self.verify("/b/k", headers: with { $0.replacing("x-amz-date", with: "range") }) } == "AccessDenied"
        )
        #expect(self.code { try self.verify("/b/k", headers: headers.filter { $0.name != "x-amz-date" }) } == "AccessDenied")
        #expect(
            self.code { try self.verify("/b/k", headers: headers.filter { $0.name != "x-amz-content-sha256" }) }
                == "InvalidRequest"
        )
    }

    @Test("A presigned query is good until it ends, for its own path and parameters")
    func presignedQuery() {
        let query = self.presigned("/b/k")
        func code(_ query: Pairs, path: String = "/b/k", after seconds: Double = 0) -> String {
            self.code {
                try self.verify(path, query: query, headers: self.host, at: self.now.addingTimeInterval(seconds))
            }
        }
        #expect(code(query) == "verified")
        #expect(code(query.reversed()) == "verified")
        #expect(code(query, after: 60) == "verified")
        #expect(code(query, after: 61) == "AccessDenied")
        #expect(code(query, after: -1000) == "AccessDenied")
        #expect(code(query, path: "/b/other") == "SignatureDoesNotMatch")
        #expect(code(query + [("versionId", "1")]) == "SignatureDoesNotMatch")
        #expect(code(query.map { $0.name == "X-Amz-Expires" ? ($0.name, "9999") : $0 }) == "SignatureDoesNotMatch")
        for expires in ["0", "-1", "604801", "x", ""] {
            #expect(
                code(query.map { $0.name == "X-Amz-Expires" ? ($0.name, expires) : $0 }) == "AuthorizationQueryParametersError"
            )
        }
        for name in query.map(\.name) where name != "X-Amz-Algorithm" {
            #expect(code(query.filter { $0.name != name }) == "AuthorizationQueryParametersError", "\(name)")
        }
    }

    @Test("Two signatures at once are refused")
    func both() {
        #expect(
            self.code { try self.verify("/b/k", query: self.presigned("/b/k"), headers: self.signed("/b/k")) }
                == "InvalidArgument"
        )
    }

    @Test("Text is compared to its end")
    func constantTime() {
        #expect(SigV4.constantTimeEquals("abc", "abc"))
        #expect(SigV4.constantTimeEquals("", ""))
        #expect(!SigV4.constantTimeEquals("abc", "abd"))
        #expect(!SigV4.constantTimeEquals("abc", "ab"))
        // Swift's == would call these equal.
        #expect(!SigV4.constantTimeEquals("\u{E9}", "e\u{301}"))
    }
}
