import Crypto
import Foundation
@testable import S3
import Testing

/// AWS's published examples: "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters".
@Suite("Signature Version 4, by AWS's examples")
struct SigV4Tests {
    static let credentials = S3Credentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE",
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    )
    static let host = (name: "Host", value: "examplebucket.s3.amazonaws.com")
    static let now = Date(timeIntervalSince1970: 1_369_353_600)

    static func sign(_ request: SigV4.Request, keys: SigningKeyCache? = nil) -> [(name: String, value: String)] {
        SigV4.authorizationHeaders(for: request, credentials: self.credentials, region: "us-east-1", now: self.now, keys: keys)
    }

    static func authorization(_ request: SigV4.Request) -> String {
        self.sign(request).first { $0.name == "authorization" }?.value ?? ""
    }

    @Test("GET of an object with a range")
    func getObject() {
        let request = SigV4.Request(
            method: "GET",
            path: "/test.txt",
            headers: [Self.host, ("Range", "bytes=0-9")],
            payloadHash: SigV4.emptyPayloadHash
        )
        #expect(
            Self.authorization(request)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        )
    }

    @Test("The canonical request and the string to sign are AWS's, line by line")
    func canonicalRequest() {
        let request = SigV4.Request(
            method: "GET",
            path: "/test.txt",
            headers: [
                Self.host, ("Range", "bytes=0-9"), ("x-amz-content-sha256", SigV4.emptyPayloadHash),
                ("x-amz-date", "20130524T000000Z"),
            ],
            payloadHash: SigV4.emptyPayloadHash
        )
        let canonical = SigV4.canonicalRequest(request, signedHeaders: ["x-amz-date", "range", "host", "x-amz-content-sha256"])
        #expect(
            canonical == """
                GET
                /test.txt

                host:examplebucket.s3.amazonaws.com
                range:bytes=0-9
                x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                x-amz-date:20130524T000000Z

                host;range;x-amz-content-sha256;x-amz-date
                e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                """
        )
        #expect(
            SigV4.stringToSign(
                canonicalRequest: canonical,
                timestamp: "20130524T000000Z",
                scope: SigV4.Scope(date: Self.now, region: "us-east-1")
            ) == """
                AWS4-HMAC-SHA256
                20130524T000000Z
                20130524/us-east-1/s3/aws4_request
                7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972
                """
        )
    }

    @Test("PUT of an object with a body and an escaped key")
    func putObject() {
        let request = SigV4.Request(
            method: "PUT",
            path: "/" + URIEncoding.encode("test$file.text", keepSlash: true),
            headers: [
                Self.host, ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            payloadHash: SigV4.payloadHash("Welcome to Amazon S3.".utf8)
        )
        #expect(
            Self.authorization(request)
                .hasSuffix("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        )
    }

    @Test("GET of a bucket's lifecycle, a parameter without a value")
    func getLifecycle() {
        let request = SigV4.Request(
            method: "GET",
            path: "/",
            query: [("lifecycle", "")],
            headers: [Self.host],
            payloadHash: SigV4.emptyPayloadHash
        )
        #expect(
            Self.authorization(request)
                .hasSuffix("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        )
    }

    @Test("Listing of a bucket, in any order of parameters")
    func listObjects() {
        let request = SigV4.Request(
            method: "GET",
            path: "/",
            query: [("prefix", "J"), ("max-keys", "2")],
            headers: [Self.host],
            payloadHash: SigV4.emptyPayloadHash
        )
        #expect(
            Self.authorization(request)
                .hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        )
    }

    @Test("Presigned GET of an object")
    func presigned() {
        let query = SigV4.presignedQuery(
            method: "GET",
            path: "/test.txt",
            headers: [Self.host],
            credentials: Self.credentials,
            region: "us-east-1",
            expires: .seconds(86_400),
            now: Self.now
        )
        #expect(
            URIEncoding.query(query)
                == "X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        )
    }

    @Test("The cache gives the key that is derived, also after it has been full")
    func keyCache() {
        let cache = SigningKeyCache()
        for day in 0..<40 {
            let scope = SigV4.Scope(date: Self.now.addingTimeInterval(Double(day) * 86_400), region: "us-east-1")
            for _ in 0..<2 {
                let key = cache.key(secret: "a", scope: scope)
                #expect(key == SigV4.signingKey(secret: "a", date: scope.date, region: "us-east-1"))
                #expect(key != cache.key(secret: "b", scope: scope))
            }
        }
    }

    @Test("Credentials never show their secret")
    func redaction() {
        let credentials = S3Credentials(accessKeyID: "AKIA", secretAccessKey: "hush-hush", sessionToken: "token-token")
        let configuration = S3Configuration(region: "us-east-1", credentials: StaticCredentials(credentials))
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in [
            "\(credentials)", String(reflecting: credentials), "\(configuration)", String(reflecting: configuration), dumped,
        ] {
            #expect(!text.contains("hush"))
            #expect(!text.contains("token-token"))
        }
    }

    @Test("Keys are remembered, a few of them, and never one for another")
    func cache() {
        let cache = SigningKeyCache()
        let today = SigV4.Scope(date: "20260101", region: "us-east-1")
        for _ in 0..<3 { _ = cache.key(secret: "a", scope: today) }
        #expect(cache.count == 1)
        for number in 0..<1000 {
            let scope = SigV4.Scope(date: "2026010\(number % 9)", region: number % 2 == 0 ? "us-east-1" : "eu-west-3")
            let key = cache.key(secret: "secret \(number % 40)", scope: scope)
            #expect(key == SigV4.signingKey(secret: "secret \(number % 40)", date: scope.date, region: scope.region))
            #expect(cache.key(secret: "secret \(number % 40)", scope: scope) == key)
            #expect(cache.count <= SigningKeyCache.limit)
        }
    }
}
