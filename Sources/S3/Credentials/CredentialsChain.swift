/// Asks one source of credentials after the other.
///
/// A source that nothing points to is passed over. One that is set up and fails ends the search: the next could be another identity,
/// with other rights. The error tells what each one said.
package struct CredentialsChain: S3CredentialsProvider {
    private let providers: [any S3CredentialsProvider]

    package init(_ providers: [any S3CredentialsProvider]) {
        self.providers = providers
    }

    /// AWS's own order.
    ///
    /// ([AWS: Standardized credential providers](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html))
    ///
    /// - Parameters:
    ///   - environment: of this process.
    ///   - region: whose STS is asked.
    package static func standard(
        environment: [String: String],
        region: String,
        transport: CredentialsTransport
    ) -> CredentialsChain {
        CredentialsChain([
            EnvironmentCredentials(environment: environment),
            WebIdentityCredentials(environment: environment, region: region, transport: transport),
            ProfileCredentials(environment: environment, region: region, transport: transport),
            ContainerCredentials(environment: environment, transport: transport),
            InstanceMetadataCredentials(environment: environment, transport: transport),
        ])
    }

    package func credentials() async throws -> S3Credentials { try await self.located().credentials }

    /// The credentials, and which source had them.
    package func located() async throws -> (credentials: S3Credentials, source: String) {
        var passed: [CredentialsError] = []
        for provider in self.providers {
            do {
                return (try await provider.credentials(), provider.name)
            } catch let error as CredentialsError {
                guard error.kind == .absent else {
                    throw CredentialsError(.failed, error.source, Self.sentence(error, passed), retryable: error.retryable)
                }
                passed.append(error)
            }
        }
        throw CredentialsError(
            .absent,
            "the standard chain",
            "none of its sources has any. " + passed.map { "\($0)." }.joined(separator: " "),
            retryable: passed.contains(where: \.retryable)
        )
    }

    private static func sentence(_ error: CredentialsError, _ passed: [CredentialsError]) -> String {
        passed.isEmpty ? error.reason : error.reason + ". Passed over: " + passed.map { "\($0)" }.joined(separator: "; ")
    }
}
