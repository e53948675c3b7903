import Foundation
import S3
import Testing

/// Answers recorded from botocore by `Fixtures/signatures.py`.
struct RecordedSignatures: Decodable {
    struct Request: Decodable, Sendable, CustomTestStringConvertible {
        var method: String
        var path: String
        var key: String?
        var query: [[String]]
        var headers: [[String]]
        var accessKeyID: String
        var secretAccessKey: String
        var sessionToken: String?
        var region: String
        var payloadHash: String
        var authorization: String
        var presignedSignature: String

        var testDescription: String { "\(self.method) \(self.path) \(self.query)" }
        var credentials: S3Credentials {
            S3Credentials(
                accessKeyID: self.accessKeyID,
                secretAccessKey: self.secretAccessKey,
                sessionToken: self.sessionToken
            )
        }
    }

    struct Form: Decodable, Sendable {
        var accessKeyID: String
        var secretAccessKey: String
        var sessionToken: String?
        var region: String
        var fields: [[String]]
    }

    var date: String
    var host: String
    var requests: [Request]
    var forms: [Form]

    static let all: RecordedSignatures = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/signatures.json")
        return try! JSONDecoder().decode(RecordedSignatures.self, from: Data(contentsOf: file))
    }()

    var now: Date { Timestamp.parseSignature(self.date)! }
}

@Suite("Signature Version 4, by botocore's answers")
struct SigV4BotocoreTests {
    let recorded = RecordedSignatures.all

    static func pairs(_ list: [[String]]) -> [(name: String, value: String)] {
        list.map { ($0[0], $0[1]) }
    }

    @Test("Enough was recorded")
    func count() {
        #expect(self.recorded.requests.count >= 30)
        #expect(self.recorded.forms.count == 2)
    }

    @Test("Headers are signed as botocore signs them", arguments: RecordedSignatures.all.requests)
    func headers(_ request: RecordedSignatures.Request) throws {
        let headers = SigV4.authorizationHeaders(
            for: SigV4.Request(
                method: request.method,
                path: "/bucket" + (request.key.map { "/" + URIEncoding.encode($0, keepSlash: true) } ?? ""),
                query: Self.pairs(request.query),
                headers: [("host", self.recorded.host)] + Self.pairs(request.headers),
                payloadHash: request.payloadHash
            ),
            credentials: request.credentials,
            region: request.region,
            now: self.recorded.now
        )
        let authorization = try #require(headers.first { $0.name == "authorization" }?.value)
        // botocore puts blanks behind the commas; AWS takes both.
        #expect(authorization == request.authorization.replacing(", ", with: ","))
    }

    @Test("A presigned query is signed as botocore signs it", arguments: RecordedSignatures.all.requests)
    func queries(_ request: RecordedSignatures.Request) throws {
        let query = SigV4.presignedQuery(
            method: request.method,
            path: request.path,
            query: Self.pairs(request.query),
            headers: [("host", self.recorded.host)],
            credentials: request.credentials,
            region: request.region,
            expires: .seconds(900),
            now: self.recorded.now
        )
        #expect(query.last?.name == "X-Amz-Signature")
        #expect(query.last?.value == request.presignedSignature)
    }

    @Test("A server accepts what botocore signed, and nothing else", arguments: RecordedSignatures.all.requests)
    func verification(_ request: RecordedSignatures.Request) throws {
        var headers = [("Host", self.recorded.host)] + Self.pairs(request.headers)
        headers.append(("X-Amz-Date", self.recorded.date))
        headers.append(("X-Amz-Content-SHA256", request.payloadHash))
        if let token = request.sessionToken { headers.append(("X-Amz-Security-Token", token)) }
        headers.append(("Authorization", request.authorization))
        func verify(_ method: String, _ path: String, _ headers: [(name: String, value: String)]) throws -> SigV4.Verified? {
            try SigV4.verify(
                method: method,
                rawPath: path,
                query: Self.pairs(request.query),
                headers: headers,
                region: request.region,
                now: self.recorded.now.addingTimeInterval(600)
            ) { $0 == request.accessKeyID ? request.credentials : nil }
        }
        let verified = try #require(try verify(request.method, request.path, headers))
        #expect(verified.accessKeyID == request.accessKeyID)
        #expect(verified.payloadHash == request.payloadHash)
        for (method, path) in [("PATCH", request.path), (request.method, request.path + "x")] {
            let error = #expect(throws: S3Error.self) { try verify(method, path, headers) }
            #expect(error?.code == .signatureDoesNotMatch)
            #expect(error?.status == 403)
        }
        let unsigned = headers + [("x-amz-acl", "public-read")]
        let error = #expect(throws: S3Error.self) { try verify(request.method, request.path, unsigned) }
        #expect(error?.code == .accessDenied)
    }

    @Test("A form's signature is botocore's, and a changed policy is not accepted", arguments: RecordedSignatures.all.forms)
    func forms(_ form: RecordedSignatures.Form) throws {
        var fields = Self.pairs(form.fields)
        let credentials = S3Credentials(
            accessKeyID: form.accessKeyID,
            secretAccessKey: form.secretAccessKey,
            sessionToken: form.sessionToken
        )
        let find: (String) -> S3Credentials? = { $0 == form.accessKeyID ? credentials : nil }
        #expect(
            try SigV4.verifyPost(fields: fields, region: form.region, credentials: find).accessKeyID == form.accessKeyID
        )
        #expect(throws: S3Error.self) { try SigV4.verifyPost(fields: fields, region: "mars-1", credentials: find) }
        let policy = try #require(fields.firstIndex { $0.name == "policy" })
        fields[policy].value += "A"
        let error = #expect(throws: S3Error.self) {
            try SigV4.verifyPost(fields: fields, region: form.region, credentials: find)
        }
        #expect(error?.code == .signatureDoesNotMatch)
    }
}
