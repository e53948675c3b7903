#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// An access key. Its description never shows the secret or the session token.
package struct S3Credentials: Sendable, Hashable {
    package var accessKeyID: String
    package var secretAccessKey: String
    /// Sent along by temporary credentials.
    package var sessionToken: String?
    /// When temporary credentials end; a policy or presigned URL made with them ends no later.
    package var expiration: Date?

    package init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "S3Credentials(\(self.accessKeyID), secret redacted)" }
    package var debugDescription: String { self.description }
    /// `dump` and `String(reflecting:)` of a struct that holds credentials go through the mirror.
    package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": self.accessKeyID]) }
}
