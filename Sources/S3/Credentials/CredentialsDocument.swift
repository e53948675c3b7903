import NIOCore
import NIOFoundationCompat

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Credentials in the JSON that container and instance endpoints answer with, and programs print.
struct CredentialsDocument: Decodable {
    var accessKeyID: String?
    var secretAccessKey: String?
    /// What endpoints call it.
    var token: String?
    /// What programs call it.
    var sessionToken: String?
    var expiration: String?
    /// Of an instance endpoint: `Success`, or why there are none.
    var code: String?
    /// Of a program: 1.
    var version: Int?

    private enum CodingKeys: String, CodingKey {
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
        case code = "Code"
        case version = "Version"
    }

    init(_ bytes: ByteBuffer, from source: String) throws(CredentialsError) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(buffer: bytes))
        } catch {
            // The decoder's error may quote the document, and that holds a secret.
            throw CredentialsError(.failed, source, "the answer is not the JSON it should be")
        }
    }

    func credentials(from source: String, mustEnd: Bool) throws(CredentialsError) -> S3Credentials {
        var end: Date?
        if let expiration = self.expiration {
            guard let date = Self.date(expiration) else {
                throw CredentialsError(.failed, source, "the Expiration '\(CredentialsError.quoted(expiration))' is not a date")
            }
            end = date
        } else if mustEnd {
            throw CredentialsError(.failed, source, "the answer has no Expiration")
        }
        return try S3Credentials(
            from: source,
            accessKeyID: self.accessKeyID,
            secretAccessKey: self.secretAccessKey,
            sessionToken: self.token ?? self.sessionToken,
            expiration: end
        )
    }

    /// `2026-01-01T00:00:00Z`, or with an offset, as `aws configure export-credentials` prints it.
    static func date(_ text: String) -> Date? {
        let offset = text.utf8.suffix(6).map(\.self)
        guard offset.count == 6, offset[0] == UInt8(ascii: "+") || offset[0] == UInt8(ascii: "-") else {
            return Timestamp.parseISO8601(text)
        }
        let digits = text.suffix(5).split(separator: ":", omittingEmptySubsequences: false)
        guard
            digits.count == 2, digits.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hours = Int(digits[0]), let minutes = Int(digits[1]), hours < 24, minutes < 60,
            let date = Timestamp.parseISO8601(text.dropLast(6) + "Z")
        else { return nil }
        let seconds = TimeInterval(hours * 3600 + minutes * 60)
        return date.addingTimeInterval(offset[0] == UInt8(ascii: "+") ? -seconds : seconds)
    }
}
