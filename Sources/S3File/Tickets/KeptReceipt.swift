package import Foundation

/// What says that a file was uploaded and verified for a field, so that its form can come back without it being uploaded again.
///
/// It says no more than that: whoever posts it is asked for the same subject, and the object is looked at again.
package struct KeptReceipt: Sendable, Codable, Equatable {
    /// A key and a name of 1,024 bytes each, which base64 and JSON make longer.
    package static let maximumBytes = 8_192

    package var field: String
    package var key: String
    package var filename: String
    package var size: Int64
    /// A digest of the user or session; empty when the app named none.
    package var subject: String
    package var expiresAt: Date

    private enum CodingKeys: String, CodingKey {
        case field = "n"
        case key = "k"
        case filename = "f"
        case size = "s"
        case subject = "u"
        case expiresAt = "e"
    }

    package init(field: String, key: String, filename: String, size: Int64, subject: String, expiresAt: Date) {
        self.field = field
        self.key = key
        self.filename = filename
        self.size = size
        self.subject = subject
        self.expiresAt = expiresAt
    }

    package func signed(with keys: SigningKeys) throws -> String {
        try SignedToken.make(self, purpose: .kept, keys: keys)
    }

    /// `nil` for what was not signed here.
    package static func read(_ token: String, keys: SigningKeys) -> KeptReceipt? {
        SignedToken.read(token, as: Self.self, purpose: .kept, maximumBytes: Self.maximumBytes, keys: keys)
    }
}
