/// Where credentials come from. Asked before every attempt of every request, so it should remember what it may.
package protocol S3CredentialsProvider: Sendable {
    func credentials() async throws -> S3Credentials

    /// For people: where they come from.
    var name: String { get }

    /// S3 called these ended: whoever keeps them asks anew next time.
    ///
    /// - Returns: whether the next ones may be others.
    func discard(_ credentials: S3Credentials) -> Bool
}

extension S3CredentialsProvider {
    package func discard(_ credentials: S3Credentials) -> Bool { false }
    package var name: String { "the settings" }
}

/// Credentials that were given once.
package struct StaticCredentials: S3CredentialsProvider {
    private let value: S3Credentials

    package init(_ credentials: S3Credentials) {
        self.value = credentials
    }

    package init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
        self.init(S3Credentials(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken))
    }

    package func credentials() async throws -> S3Credentials { self.value }
}
