package import Foundation

/// What lets its holder read one upload's status, and nothing else.
package struct StatusToken: Sendable {
    private let keys: SigningKeys

    package init(keys: SigningKeys) {
        self.keys = keys
    }

    package func token(for id: UUID) -> String {
        Base64URL.encode(self.keys.sign(Self.message(id), for: .status))
    }

    package func isValid(_ token: String, for id: UUID) -> Bool {
        guard token.utf8.count <= 64, let signature = Base64URL.decode(token) else { return false }
        return self.keys.isValid(signature, of: Self.message(id), for: .status)
    }

    private static func message(_ id: UUID) -> Data {
        Data(id.uuidString.lowercased().utf8)
    }
}
