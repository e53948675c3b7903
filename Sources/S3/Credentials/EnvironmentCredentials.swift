/// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN`.
package struct EnvironmentCredentials: S3CredentialsProvider {
    static let source = "the environment"

    private let environment: [String: String]

    /// - Parameter environment: of this process; it does not change under it.
    package init(environment: [String: String]) {
        self.environment = environment
    }

    package var name: String { Self.source }

    package func credentials() async throws -> S3Credentials {
        func value(_ name: String) -> String? { self.environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        switch (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")) {
        case (nil, nil):
            throw CredentialsError(.absent, Self.source, "AWS_ACCESS_KEY_ID is not set")
        case (let accessKeyID?, let secretAccessKey?):
            return try S3Credentials(
                from: Self.source,
                accessKeyID: accessKeyID,
                secretAccessKey: secretAccessKey,
                sessionToken: value("AWS_SESSION_TOKEN")
            )
        case (_?, nil):
            throw CredentialsError(.failed, Self.source, "AWS_SECRET_ACCESS_KEY is not set: set it beside AWS_ACCESS_KEY_ID")
        case (nil, _?):
            throw CredentialsError(.failed, Self.source, "AWS_ACCESS_KEY_ID is not set: set it beside AWS_SECRET_ACCESS_KEY")
        }
    }
}
