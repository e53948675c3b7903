#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension S3Credentials {
    /// Credentials as a source sent them: what could not be signed with, or would split a header, is refused.
    init(
        from source: String,
        accessKeyID: String?,
        secretAccessKey: String?,
        sessionToken: String?,
        expiration: Date? = nil
    ) throws(CredentialsError) {
        func checked(_ value: String?, _ name: String, limit: Int) throws(CredentialsError) -> String {
            guard let value, !value.isEmpty else { throw CredentialsError(.failed, source, "there is no \(name)") }
            guard value.utf8.count <= limit, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw CredentialsError(.failed, source, "the \(name) is longer than \(limit) bytes or not visible ASCII")
            }
            return value
        }
        self.init(
            accessKeyID: try checked(accessKeyID, "access key id", limit: 256),
            secretAccessKey: try checked(secretAccessKey, "secret access key", limit: 1024),
            // Tokens travel in a header, of which servers take 8 to 16 KiB.
            sessionToken: try sessionToken.map { token throws(CredentialsError) in
                try checked(token, "session token", limit: 16 * 1024)
            },
            expiration: expiration
        )
    }
}
