import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// AWS's Security Token Service: temporary credentials of a role.
///
/// ([AWS: AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html),
/// [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html))
struct SecurityTokenService: Sendable {
    struct Role: Sendable {
        var arn: String
        var sessionName: String
        var externalID: String?
        /// In seconds; nil for an hour.
        var duration: Int?
    }

    private static let timeout: Duration = .seconds(10)
    private static let attempts = 3

    let transport: CredentialsTransport
    /// Regional: the global endpoint is one region far away, and AWS advises against it.
    let region: String
    /// `AWS_ENDPOINT_URL_STS`, or `AWS_ENDPOINT_URL`, for stores that bring their own.
    let environment: [String: String]

    /// - Parameter token: of OpenID Connect. It proves who is asking, so nothing is signed.
    func assume(_ role: Role, webIdentity token: String, for source: String) async throws -> S3Credentials {
        try await self.call(
            "AssumeRoleWithWebIdentity",
            parameters: self.parameters(of: role) + [("WebIdentityToken", token)],
            signedBy: nil,
            for: source
        )
    }

    func assume(_ role: Role, as credentials: S3Credentials, for source: String) async throws -> S3Credentials {
        var parameters = self.parameters(of: role)
        if let externalID = role.externalID { parameters.append(("ExternalId", externalID)) }
        return try await self.call("AssumeRole", parameters: parameters, signedBy: credentials, for: source)
    }

    private func parameters(of role: Role) -> [(name: String, value: String)] {
        var parameters = [(name: "RoleArn", value: role.arn), (name: "RoleSessionName", value: role.sessionName)]
        if let duration = role.duration { parameters.append(("DurationSeconds", String(duration))) }
        return parameters
    }

    private func call(
        _ action: String,
        parameters: [(name: String, value: String)],
        signedBy credentials: S3Credentials?,
        for source: String
    ) async throws -> S3Credentials {
        let endpoint: S3Endpoint
        do {
            let url = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"].lazy.compactMap { self.environment[$0] }.first { !$0.isEmpty }
            endpoint = try S3Endpoint(url, service: "sts", region: self.region, addressing: .path)
        } catch {
            throw CredentialsError(.failed, source, error.message)
        }
        let body = ByteBuffer(string: URIEncoding.query([("Action", action), ("Version", "2011-06-15")] + parameters))
        var headers: [(name: String, value: String)] = [
            ("host", endpoint.authority), ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ]
        if let credentials {
            headers += SigV4.authorizationHeaders(
                for: SigV4.Request(
                    method: "POST",
                    path: "/",
                    headers: headers,
                    payloadHash: SigV4.payloadHash(body.readableBytesView)
                ),
                credentials: credentials,
                region: self.region,
                service: "sts",
                now: self.transport.clock.now
            )
        }
        var request = HTTPClientRequest(url: "\(endpoint.description)/")
        request.method = .POST
        request.headers = HTTPHeaders(headers.map { ($0.name, $0.value) })
        request.body = .bytes(body)
        let answer = try await self.transport.fetch(request, for: source, timeout: Self.timeout, attempts: Self.attempts)
        return try Self.credentials(in: answer, of: action, for: source)
    }

    private static func credentials(
        in answer: CredentialsTransport.Answer,
        of action: String,
        for source: String
    ) throws(CredentialsError) -> S3Credentials {
        let document = try? XMLReader.read(answer.body.readableBytesView, limits: XMLReader.Limits(bytes: 64 * 1024))
        guard answer.isSuccess else {
            let error = document?["Error"]
            let code = error?["Code"]?.text ?? "HTTP \(answer.status)"
            let message = error?["Message"]?.text ?? ""
            throw CredentialsError(
                .failed,
                source,
                CredentialsError.quoted("\(action) was refused: \(code)\(message.isEmpty ? "" : ": \(message)")"),
                retryable: answer.status >= 500 || answer.status == 429 || code == "IDPCommunicationError"
                    || code.hasPrefix("Throttling")
            )
        }
        guard document?.name == "\(action)Response", let result = document?["\(action)Result"]?["Credentials"] else {
            throw CredentialsError(.failed, source, "the answer to \(action) is not the XML it should be")
        }
        guard let expiration = result["Expiration"].flatMap({ CredentialsDocument.date($0.text) }) else {
            throw CredentialsError(.failed, source, "the answer to \(action) has no Expiration")
        }
        guard let token = result["SessionToken"]?.text else {
            throw CredentialsError(.failed, source, "the answer to \(action) has no SessionToken")
        }
        return try S3Credentials(
            from: source,
            accessKeyID: result["AccessKeyId"]?.text,
            secretAccessKey: result["SecretAccessKey"]?.text,
            sessionToken: token,
            expiration: expiration
        )
    }

    /// Names the session in AWS's audit log; any name is good.
    static func sessionName(_ given: String?) -> String {
        given.flatMap { $0.isEmpty ? nil : $0 } ?? "s3file-\(String(UInt32.random(in: .min ... .max), radix: 16))"
    }
}
