/// The profile that `AWS_PROFILE` names, in the files of the AWS CLI.
///
/// ([AWS: Shared config and credentials files](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html))
package struct ProfileCredentials: S3CredentialsProvider {
    /// Of profiles that lead to each other.
    private static let maximumDepth = 8

    private let environment: [String: String]
    private let region: String
    private let transport: CredentialsTransport

    package init(environment: [String: String], region: String, transport: CredentialsTransport) {
        self.environment = environment
        self.region = region
        self.transport = transport
    }

    package var name: String { Self.source(SharedConfiguration.profileName(environment: self.environment).0) }

    package func credentials() async throws -> S3Credentials {
        let (name, isExplicit) = SharedConfiguration.profileName(environment: self.environment)
        let shared = try await SharedConfiguration.load(environment: self.environment)
        guard shared.profiles[name] != nil else {
            throw CredentialsError(
                isExplicit ? .failed : .absent,
                Self.source(name),
                "there is no such profile in the shared configuration files"
            )
        }
        return try await self.credentials(of: name, in: shared, below: [])
    }

    private static func source(_ profile: String) -> String { "profile '\(CredentialsError.quoted(profile))'" }

    /// - Parameter outer: the profiles that led here.
    private func credentials(
        of name: String,
        in shared: SharedConfiguration,
        below outer: [String]
    ) async throws -> S3Credentials {
        let source = Self.source(name)
        guard let profile = shared.profiles[name] else {
            throw CredentialsError(.failed, source, "there is no such profile in the shared configuration files")
        }
        func setting(_ key: String) -> String? { profile[key].flatMap { $0.isEmpty ? nil : $0 } }
        let keys = (setting("aws_access_key_id"), setting("aws_secret_access_key"))
        let hasKeys = keys.0 != nil || keys.1 != nil
        // A role goes before keys, which it may need itself; but the profile it is taken on from gives its keys.
        if let role = setting("role_arn"), outer.isEmpty || !hasKeys {
            return try await self.credentials(ofRole: role, in: name, setting, shared, below: outer)
        }
        if hasKeys {
            return try S3Credentials(
                from: source,
                accessKeyID: keys.0,
                secretAccessKey: keys.1,
                sessionToken: setting("aws_session_token")
            )
        }
        if let command = setting("credential_process") {
            return try await ProcessCredentials(command: command, source: source).credentials()
        }
        if setting("sso_session") != nil || setting("sso_start_url") != nil {
            throw CredentialsError(
                .failed,
                source,
                "single sign-on is not read here: use a profile with credential_process = aws configure export-credentials"
            )
        }
        // A profile with a region alone says nothing of credentials.
        throw CredentialsError(outer.isEmpty ? .absent : .failed, source, "it holds no credentials")
    }

    private func credentials(
        ofRole arn: String,
        in name: String,
        _ setting: (String) -> String?,
        _ shared: SharedConfiguration,
        below outer: [String]
    ) async throws -> S3Credentials {
        let source = Self.source(name)
        guard setting("mfa_serial") == nil else {
            throw CredentialsError(.failed, source, "a server cannot be asked for a code: mfa_serial is not supported")
        }
        var duration: Int?
        if let text = setting("duration_seconds") {
            guard let seconds = Int(text), (900...43_200).contains(seconds) else {
                throw CredentialsError(.failed, source, "duration_seconds must be a number from 900 to 43200")
            }
            duration = seconds
        }
        let role = SecurityTokenService.Role(
            arn: arn,
            sessionName: SecurityTokenService.sessionName(setting("role_session_name")),
            externalID: setting("external_id"),
            duration: duration
        )
        let service = SecurityTokenService(
            transport: self.transport,
            region: setting("region") ?? self.region,
            environment: self.environment
        )
        if let file = setting("web_identity_token_file") {
            return try await WebIdentityCredentials.credentials(tokenFile: file, role: role, service: service, for: source)
        }
        let base: S3Credentials
        switch (setting("source_profile"), setting("credential_source")) {
        case (let other?, nil):
            // A profile may name itself, and then gives its own keys.
            guard other == name && outer.last != name || !(outer + [name]).contains(other), outer.count < Self.maximumDepth else {
                throw CredentialsError(.failed, source, "source_profile leads in a circle, or too far")
            }
            base = try await self.credentials(of: other, in: shared, below: outer + [name])
        case (nil, let kind?):
            base = try await self.credentials(ofSource: kind, for: source)
        case (_?, _?):
            throw CredentialsError(.failed, source, "it has both source_profile and credential_source: keep one")
        case (nil, nil):
            throw CredentialsError(
                .failed,
                source,
                "role_arn needs source_profile, credential_source or web_identity_token_file beside it"
            )
        }
        return try await service.assume(role, as: base, for: source)
    }

    private func credentials(ofSource kind: String, for source: String) async throws -> S3Credentials {
        let provider: any S3CredentialsProvider
        switch kind {
        case "Environment": provider = EnvironmentCredentials(environment: self.environment)
        case "EcsContainer": provider = ContainerCredentials(environment: self.environment, transport: self.transport)
        case "Ec2InstanceMetadata":
            provider = InstanceMetadataCredentials(environment: self.environment, transport: self.transport)
        default:
            throw CredentialsError(
                .failed,
                source,
                "credential_source must be Environment, EcsContainer or Ec2InstanceMetadata, not '\(CredentialsError.quoted(kind))'"
            )
        }
        do {
            return try await provider.credentials()
        } catch let error as CredentialsError {
            throw CredentialsError(.failed, source, "credential_source \(kind): \(error)", retryable: error.retryable)
        }
    }
}
