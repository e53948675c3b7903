import Crypto
package import struct Foundation.Data
package import protocol Foundation.DataProtocol

/// The application's secrets: the first signs, all verify, so that a secret can be rotated without refusing the pages already open.
///
/// Each purpose has a key of its own (HKDF), so that a token of one kind can never pass for another.
package struct SigningKeys: Sendable {
    package enum Purpose: String, Sendable, CaseIterable {
        case ticket = "s3file ticket v1"
        case status = "s3file status v1"
        case kept = "s3file kept v1"
        case multipart = "s3file multipart v1"
    }

    /// Shorter secrets can be guessed; a deploy check refuses them as well.
    package static let minimumSecretBytes = 32

    /// Derived once, and begun with its key: both take longer than signing. The first of each purpose signs.
    private let keys: [Purpose: [HMAC<SHA256>]]

    /// - Throws: ``ConfigurationError`` when there is no secret or one is too short.
    package init(secrets: [String]) throws {
        guard !secrets.isEmpty else {
            throw ConfigurationError("S3FILE_SECRET is not set: set it to at least \(Self.minimumSecretBytes) random characters")
        }
        guard secrets.allSatisfy({ $0.utf8.count >= Self.minimumSecretBytes }) else {
            throw ConfigurationError("S3FILE_SECRET has a secret of fewer than \(Self.minimumSecretBytes) bytes: make it longer")
        }
        let material = secrets.map { SymmetricKey(data: Data($0.utf8)) }
        self.keys = Dictionary(
            uniqueKeysWithValues: Purpose.allCases.map { purpose in
                (
                    purpose,
                    material.map {
                        HMAC(
                            key: HKDF<SHA256>.deriveKey(
                                inputKeyMaterial: $0,
                                info: Data(purpose.rawValue.utf8),
                                outputByteCount: 32
                            )
                        )
                    }
                )
            }
        )
    }

    private func keys(_ purpose: Purpose) -> [HMAC<SHA256>] { self.keys[purpose, default: []] }

    package func sign(_ message: some DataProtocol, for purpose: Purpose) -> Data {
        Data(Self.code(message, self.keys(purpose)[0]))
    }

    /// Compares in constant time, against every secret.
    package func isValid(_ signature: some DataProtocol, of message: some DataProtocol, for purpose: Purpose) -> Bool {
        self.keys(purpose).reduce(false) { found, key in Self.code(message, key) == signature || found }
    }

    private static func code(_ message: some DataProtocol, _ key: HMAC<SHA256>) -> HMAC<SHA256>.MAC {
        var code = key
        code.update(data: message)
        return code.finalize()
    }
}
