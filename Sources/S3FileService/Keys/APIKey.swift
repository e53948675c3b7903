import Crypto
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A key of the app's own API, as it is kept: its hash, and the fields that it is for.
package struct APIKey: Sendable, Equatable {
    /// Shorter ones can be guessed.
    package static let minimumBytes = 32
    /// What is longer is none of ours, and is not hashed.
    static let maximumBytes = 512

    /// SHA-256: a key is as long as a random one, so nothing slower is needed.
    let digest: [UInt8]
    /// `nil` for all.
    let fields: Set<String>?

    /// Names it in logs without telling it.
    var label: String { String(Self.hexadecimal(self.digest).prefix(8)) }

    func mayUse(_ field: String) -> Bool { self.fields?.contains(field) ?? true }

    /// For what needs none.
    static let nobody = APIKey(digest: [], fields: [])

    private init(digest: [UInt8], fields: Set<String>?) {
        self.digest = digest
        self.fields = fields
    }

    /// `KEY` or `sha256:HEX`, and `@field+field` when it is for these fields alone.
    ///
    /// - Parameter place: which of the setting's keys it is, from 1. Errors name it by that, and never repeat it.
    init(_ text: String, place: Int) throws(ConfigurationError) {
        func wrong(_ what: String) -> ConfigurationError { ConfigurationError("S3FILE_API_KEYS: key \(place) \(what)") }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard let key = parts.first, parts.count <= 2 else { throw wrong("has more than one @: write KEY@field+field") }
        if parts.count == 2 {
            let fields = parts[1].split(separator: "+", omittingEmptySubsequences: false).map(String.init)
            guard !fields.contains("") else { throw wrong("names no field after @: write KEY@field+field, or KEY alone for all") }
            self.fields = Set(fields)
        } else {
            self.fields = nil
        }
        if key.hasPrefix("sha256:") {
            guard let digest = Self.bytes(hexadecimal: key.dropFirst("sha256:".count)), digest.count == SHA256.byteCount else {
                throw wrong(
                    "is no hash: sha256: is followed by 64 hexadecimal digits, as `printf %s KEY | sha256sum` writes them"
                )
            }
            self.digest = digest
            return
        }
        guard key.utf8.count >= Self.minimumBytes else {
            throw wrong(
                "has \(key.utf8.count) bytes, with which it could be guessed: make one of \(Self.minimumBytes) or more, as by openssl rand -base64 36"
            )
        }
        guard key.utf8.count <= Self.maximumBytes, key.utf8.allSatisfy(Self.isOfToken) else {
            throw wrong(
                "has characters that a header cannot carry, or is longer than \(Self.maximumBytes) bytes: make one by openssl rand -base64 36"
            )
        }
        self.digest = Self.digest(of: key)
    }

    static func digest(of key: some StringProtocol) -> [UInt8] { Array(SHA256.hash(data: Array(key.utf8))) }

    /// <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>
    static func isOfToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~+/=".utf8.contains(byte)
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(hexadecimal text: some StringProtocol) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
