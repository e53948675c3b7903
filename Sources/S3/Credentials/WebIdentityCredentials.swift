/// A role that a token file stands for: IAM roles for Kubernetes service accounts.
///
/// ([AWS: Assume role credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html))
package struct WebIdentityCredentials: S3CredentialsProvider {
    static let source = "web identity"

    private let environment: [String: String]
    private let service: SecurityTokenService

    package init(environment: [String: String], region: String, transport: CredentialsTransport) {
        self.environment = environment
        self.service = SecurityTokenService(transport: transport, region: region, environment: environment)
    }

    package var name: String { Self.source }

    package func credentials() async throws -> S3Credentials {
        guard let path = self.environment["AWS_WEB_IDENTITY_TOKEN_FILE"], !path.isEmpty else {
            throw CredentialsError(.absent, Self.source, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")
        }
        guard let role = self.environment["AWS_ROLE_ARN"], !role.isEmpty else {
            throw CredentialsError(.failed, Self.source, "AWS_ROLE_ARN is not set: set it beside AWS_WEB_IDENTITY_TOKEN_FILE")
        }
        return try await Self.credentials(
            tokenFile: path,
            role: SecurityTokenService.Role(
                arn: role,
                sessionName: SecurityTokenService.sessionName(self.environment["AWS_ROLE_SESSION_NAME"])
            ),
            service: self.service,
            for: Self.source
        )
    }

    /// The file is read each time: Kubernetes renews it.
    static func credentials(
        tokenFile path: String,
        role: SecurityTokenService.Role,
        service: SecurityTokenService,
        for source: String
    ) async throws -> S3Credentials {
        try await service.assume(role, webIdentity: try await SmallFile.token(path, for: source), for: source)
    }
}
