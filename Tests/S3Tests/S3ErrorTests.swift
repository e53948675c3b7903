import AsyncHTTPClient
import NIOHTTP1
import Testing

@testable import S3

@Suite("Errors")
struct S3ErrorTests {
    let subject = S3Error.Subject(operation: "HeadObject", bucket: "b", hasKey: true)

    func error(
        _ status: Int,
        _ headers: HTTPHeaders = [:],
        _ document: String? = nil,
        subject: S3Error.Subject? = nil
    ) throws -> S3Error {
        S3Error(
            status: status,
            headers: headers,
            document: try document.map { try XMLReader.read($0) },
            subject: subject ?? self.subject
        )
    }

    @Test(
        "An answer without a body is mapped by its status",
        arguments: [
            (301, "PermanentRedirect", false), (304, "NotModified", false), (400, "BadRequest", false),
            (403, "AccessDenied", false),
            (404, "NoSuchKey", false), (405, "MethodNotAllowed", false), (409, "OperationAborted", true),
            (412, "PreconditionFailed", false), (416, "InvalidRange", false), (429, "TooManyRequests", true),
            (500, "InternalError", true), (501, "NotImplemented", false), (502, "InternalError", true),
            (503, "ServiceUnavailable", true), (504, "InternalError", true),
        ]
    )
    func byStatus(status: Int, code: String, retryable: Bool) throws {
        let error = try self.error(status)
        #expect(error.code.rawValue == code)
        #expect(error.status == status)
        #expect(error.retryable == retryable)
    }

    @Test("A missing bucket is told from a missing key where the request was about the bucket")
    func missingBucket() throws {
        let subject = S3Error.Subject(operation: "HeadBucket", bucket: "b", hasKey: false)
        #expect(try self.error(404, subject: subject).code == .noSuchBucket)
    }

    @Test("S3's own code, message, request id and patience are kept")
    func sent() throws {
        let error = try self.error(
            503,
            ["x-amz-request-id": "tx1", "Retry-After": "7"],
            "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce &amp; relax</Message><RequestId>other</RequestId></Error>"
        )
        #expect(error.code == .slowDown)
        #expect(error.retryable)
        #expect(error.requestID == "tx1")
        #expect(error.retryAfter == .seconds(7))
        #expect(error.description == "S3 SlowDown, HTTP 503: HeadObject in bucket 'b': Reduce & relax [request tx1]")
    }

    @Test("A server's patience may be a moment, by its own clock; its names for the request are kept")
    func patience() throws {
        for (value, date, seconds) in [
            ("120", nil, 120), ("0", nil, 0), ("-1", nil, nil), ("soon", nil, nil), ("999999999999", nil, 86_400),
            ("Fri, 24 May 2013 00:02:00 GMT", "Fri, 24 May 2013 00:00:30 GMT", 90),
            ("Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:30 GMT", 0),
            ("Fri, 24 May 2013 00:02:00 GMT", nil, 0),
        ] as [(String, String?, Int?)] {
            var headers: HTTPHeaders = ["Retry-After": value]
            if let date { headers.add(name: "Date", value: date) }
            #expect(try self.error(503, headers).retryAfter == seconds.map { .seconds($0) }, "\(value)")
        }
        let named = try self.error(500, ["x-amz-request-id": "tx1", "x-amz-id-2": "host1"])
        #expect(named.requestID == "tx1" && named.hostID == "host1")
        #expect(named.description.hasSuffix("[request tx1, host host1]"))
        let inside = try self.error(500, [:], "<Error><Code>A</Code><RequestId>r</RequestId><HostId>h</HostId></Error>")
        #expect(inside.requestID == "r" && inside.hostID == "h")
    }

    @Test("A bucket elsewhere says where, in a redirect, a refused signature and a HEAD")
    func region() throws {
        for (status, document) in [
            (301, "<Error><Code>PermanentRedirect</Code><Endpoint>x</Endpoint></Error>"), (307, nil), (301, nil), (400, nil),
            (400, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message></Error>"),
        ] as [(Int, String?)] {
            let error = try self.error(status, ["x-amz-bucket-region": "eu-west-3"], document)
            #expect(error.region == "eu-west-3")
            #expect(error.message.contains(" The bucket is in the region eu-west-3: set AWS_REGION to it."))
            #expect(!error.retryable)
        }
        let named = try self.error(
            400,
            [:],
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
        )
        #expect(named.region == "eu-west-1")
        #expect(try self.error(301).message.contains("Check AWS_REGION"))
        // AWS names the region in other answers, too, where it is not what is wrong.
        #expect(try self.error(403, ["x-amz-bucket-region": "eu-west-3"]).region == nil)
    }

    @Test(
        "Which codes may be tried again",
        arguments: [
            ("RequestTimeout", 400, true), ("InternalError", 200, true), ("ConditionalRequestConflict", 409, true),
            ("OperationAborted", 409, true), ("Throttling", 400, true), ("AccessDenied", 403, false),
            ("NoSuchUpload", 404, false),
            ("SignatureDoesNotMatch", 403, false), ("EntityTooLarge", 400, false), ("BadDigest", 400, false),
            ("NotImplemented", 501, false), ("SomethingNew", 500, true), ("SomethingNew", 400, false),
            ("KMS.DisabledException", 400, false),
        ]
    )
    func retryable(code: String, status: Int, retryable: Bool) throws {
        #expect(S3Error(S3Error.Code(code), status: status, message: "").retryable == retryable)
    }

    @Test("Where an error has a remedy, its sentence names it")
    func remedies() throws {
        #expect(try self.error(301, ["x-amz-bucket-region": "eu-west-3"]).message.contains("set AWS_REGION"))
        #expect(try self.error(301, ["x-amz-bucket-region": "eu-west-3"]).message.contains("eu-west-3"))
        #expect(try self.error(403).message.contains("credentials"))
        #expect(
            try self.error(403, [:], "<Error><Code>SignatureDoesNotMatch</Code></Error>").message.contains(
                "AWS_SECRET_ACCESS_KEY"
            )
        )
    }

    @Test("A long message of a server is cut, and stays on one line")
    func bounded() throws {
        let text = String(repeating: "x\n", count: 5000)
        let error = try self.error(400, [:], "<Error><Code>A</Code><Message>\(text)</Message></Error>")
        #expect(error.message.count < 400)
        #expect(!error.message.contains("\n"))
    }

    @Test("An unclear failure of a request that must not be repeated is an unknown outcome; a refusal is not")
    func outcome() {
        for (code, status) in [
            (S3Error.Code.connectionLost, 0), (.internalError, 500), (.serviceUnavailable, 503), (.invalidResponse, 200),
            (.internalError, 200), (.init("GatewayTimeout"), 504),
        ] {
            let error = S3Error(code, status: status, message: "m").orOutcomeUnknown
            #expect(error.isOutcomeUnknown, "\(code)")
            #expect(error.cause == code)
            #expect(error.retryable)
        }
        for (code, status) in [
            (S3Error.Code.connectionFailed, 0), (.slowDown, 503), (.accessDenied, 403), (.preconditionFailed, 412),
            (.noSuchKey, 404),
            (.accessDenied, 200), (.requestTimeout, 400), (.conditionalRequestConflict, 409), (.notModified, 304),
            (.invalidArgument, 0), (.configuration, 0),
        ] {
            #expect(S3Error(code, status: status, message: "m").orOutcomeUnknown.code == code)
        }
    }
}

@Suite("Retries")
struct S3RetryPolicyTests {
    let policy = S3RetryPolicy(attempts: 4, baseDelay: .milliseconds(100), maximumDelay: .milliseconds(300))

    func error(retryAfter: Duration? = nil, retryable: Bool = true) -> S3Error {
        S3Error(.slowDown, status: 503, message: "", retryable: retryable, retryAfter: retryAfter)
    }

    @Test("The delay is any part of a doubled, bounded one, and ends with the attempts")
    func backoff() {
        let delays = (1...4).map { self.policy.delay(after: $0, error: self.error(), fraction: 1) }
        #expect(delays == [.milliseconds(100), .milliseconds(200), .milliseconds(300), nil])
        #expect(self.policy.delay(after: 2, error: self.error(), fraction: 0) == .zero)
        #expect(self.policy.delay(after: 2, error: self.error(), fraction: 0.5) == .milliseconds(100))
        #expect(S3RetryPolicy(attempts: 1000).delay(after: 900, error: self.error(), fraction: 1) == .seconds(5))
    }

    @Test("A permanent error is not repeated")
    func permanent() {
        #expect(self.policy.delay(after: 1, error: self.error(retryable: false)) == nil)
    }

    @Test("A server's patience is added to, and handed on when it is long")
    func retryAfter() {
        #expect(self.policy.delay(after: 1, error: self.error(retryAfter: .seconds(2)), fraction: 1) == .milliseconds(2100))
        #expect(self.policy.delay(after: 1, error: self.error(retryAfter: .seconds(3600))) == nil)
    }
}
