import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// The role of the EC2 instance, by its metadata service, version 2 only: version 1 can be asked through a careless proxy.
///
/// ([AWS: IMDS credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html))
package struct InstanceMetadataCredentials: S3CredentialsProvider {
    static let source = "the EC2 instance's metadata"
    private static let rolesPath = "/latest/meta-data/iam/security-credentials/"
    /// Of the session, which serves for three requests.
    private static let sessionSeconds = "300"

    private let environment: [String: String]
    private let transport: CredentialsTransport

    package init(environment: [String: String], transport: CredentialsTransport) {
        self.environment = environment
        self.transport = transport
    }

    package var name: String { Self.source }

    package func credentials() async throws -> S3Credentials {
        guard self.environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else {
            throw CredentialsError(.absent, Self.source, "AWS_EC2_METADATA_DISABLED is true")
        }
        let endpoint = try self.endpoint()
        let token = try await self.session(endpoint)
        let roles = try await self.get(Self.rolesPath, endpoint, token)
        guard roles.status != 404 else {
            throw CredentialsError(.absent, Self.source, "this instance has no role", retryable: true)
        }
        let role = try Self.roleName(self.text(roles))
        let answer = try await self.get(Self.rolesPath + role, endpoint, token)
        _ = try self.text(answer)
        let document = try CredentialsDocument(answer.body, from: Self.source)
        guard document.code == nil || document.code == "Success" else {
            throw CredentialsError(
                .failed,
                Self.source,
                "the role \(role) gives no credentials: \(CredentialsError.quoted(document.code ?? ""))",
                retryable: true
            )
        }
        return try document.credentials(from: Self.source, mustEnd: true)
    }

    /// Where nothing answers, this is no EC2 instance.
    private func session(_ endpoint: S3Endpoint) async throws -> String {
        var request = HTTPClientRequest(url: "\(endpoint.description)/latest/api/token")
        request.method = .PUT
        request.headers.add(name: "x-aws-ec2-metadata-token-ttl-seconds", value: Self.sessionSeconds)
        let answer: CredentialsTransport.Answer
        do {
            answer = try await self.fetch(request)
        } catch var error as CredentialsError {
            if error.retryable { error.kind = .absent }
            throw error
        }
        guard answer.status != 403 else {
            throw CredentialsError(.absent, Self.source, "the metadata service is turned off")
        }
        let token = try self.text(answer)
        guard !token.isEmpty, token.utf8.count <= 4096, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CredentialsError(.failed, Self.source, "the session's token is not one")
        }
        return token
    }

    private func get(_ path: String, _ endpoint: S3Endpoint, _ token: String) async throws -> CredentialsTransport.Answer {
        var request = HTTPClientRequest(url: endpoint.description + path)
        request.headers.add(name: "x-aws-ec2-metadata-token", value: token)
        return try await self.fetch(request)
    }

    /// One hop away, so what takes longer than a second is not there.
    private func fetch(_ request: HTTPClientRequest) async throws -> CredentialsTransport.Answer {
        func number(_ name: String, _ usual: Int, upTo limit: Int) -> Int {
            min(max(self.environment[name].flatMap { Int($0) } ?? usual, 1), limit)
        }
        return try await self.transport.fetch(
            request,
            for: Self.source,
            timeout: .seconds(number("AWS_METADATA_SERVICE_TIMEOUT", 1, upTo: 60)),
            attempts: number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 2, upTo: 10)
        )
    }

    private func text(_ answer: CredentialsTransport.Answer) throws(CredentialsError) -> String {
        guard answer.isSuccess else {
            throw CredentialsError(
                .failed,
                Self.source,
                "it answered with HTTP \(answer.status)",
                retryable: answer.status >= 500 || answer.status == 429 || answer.status == 401
            )
        }
        return String(buffer: answer.body)
    }

    /// The first line, which becomes part of a path.
    private static func roleName(_ text: String) throws(CredentialsError) -> String {
        let name = String(text.prefix { !$0.isNewline })
        // IAM's own rule for names of roles.
        guard name.wholeMatch(of: /[A-Za-z0-9_+=,.@\-]{1,128}/) != nil, !name.allSatisfy({ $0 == "." }) else {
            throw CredentialsError(.failed, Self.source, "the name of the instance's role is not one")
        }
        return name
    }

    private func endpoint() throws(CredentialsError) -> S3Endpoint {
        let isIPv6 = self.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        let named = self.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
        do {
            return try S3Endpoint(
                named ?? (isIPv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254"),
                service: "imds",
                region: "us-east-1",
                addressing: .path
            )
        } catch {
            throw CredentialsError(
                .failed,
                Self.source,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT must be like http://169.254.169.254, without a path"
            )
        }
    }
}
