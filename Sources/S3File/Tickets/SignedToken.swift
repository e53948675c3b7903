import Foundation

/// A value that a browser carries and cannot change: `v1.<payload>.<signature>`, both in base64url; the signature covers `v1.<payload>`
/// as text, with the key of its purpose.
enum SignedToken {
    private static let version = "v1"

    static func make(_ value: some Encodable, purpose: SigningKeys.Purpose, keys: SigningKeys) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .secondsSince1970
        let message = Self.version + "." + Base64URL.encode(try encoder.encode(value))
        return message + "." + Base64URL.encode(keys.sign(Data(message.utf8), for: purpose))
    }

    /// `nil` for anything that was not made here for this purpose; the signature is checked before a byte of the payload is looked at.
    static func read<Value: Decodable>(
        _ token: String,
        as type: Value.Type,
        purpose: SigningKeys.Purpose,
        maximumBytes: Int,
        keys: SigningKeys
    ) -> Value? {
        guard token.utf8.count <= maximumBytes else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == Self.version,
            let body = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            keys.isValid(signature, of: Data("\(parts[0]).\(parts[1])".utf8), for: purpose)
        else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        return try? decoder.decode(type, from: body)
    }
}
