import Crypto
package import Foundation

/// What says that a file was uploaded and verified for a field, so that its form can come back without it being uploaded again.
///
/// It says no more than that: whoever posts it is asked for the same subject, and the object is looked at again.
package struct KeptReceipt: Sendable, Codable, Equatable {
    /// A key and a name of 1,024 bytes each, which base64 and JSON make longer.
    package static let maximumBytes = 8_192

    package var field: String
    /// A digest of what the field asks of a file and does with it: another route may have a field of the same name.
    package var rules: String
    package var key: String
    package var filename: String
    package var size: Int64
    /// A digest of the user or session; empty when the app named none.
    package var subject: String
    package var expiresAt: Date

    private enum CodingKeys: String, CodingKey {
        case field = "n"
        case rules = "r"
        case key = "k"
        case filename = "f"
        case size = "s"
        case subject = "u"
        case expiresAt = "e"
    }

    package init(field: UploadField, key: String, filename: String, size: Int64, subject: String, expiresAt: Date) {
        self.field = field.name
        self.rules = Self.rules(of: field)
        self.key = key
        self.filename = filename
        self.size = size
        self.subject = subject
        self.expiresAt = expiresAt
    }

    /// Whether it was made for this field, with the same destination and types.
    func isFor(_ field: UploadField) -> Bool {
        self.field == field.name && self.rules == Self.rules(of: field)
    }

    /// What a ticket binds of a field, but for its limits, which are checked anew.
    private static func rules(of field: UploadField) -> String {
        var rules = TicketPayload.Writer()
        rules.append(field.uploadTo.ticketRule)
        rules.append(field.accept.map(\.description))
        return Base64URL.encode(Data(SHA256.hash(data: rules.bytes).prefix(16)))
    }

    package func signed(with keys: SigningKeys) throws -> String {
        try SignedToken.make(self, purpose: .kept, keys: keys)
    }

    /// `nil` for what was not signed here.
    package static func read(_ token: String, keys: SigningKeys) -> KeptReceipt? {
        SignedToken.read(token, as: Self.self, purpose: .kept, maximumBytes: Self.maximumBytes, keys: keys)
    }
}
