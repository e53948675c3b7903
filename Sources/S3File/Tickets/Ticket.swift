import Crypto
package import Foundation

/// What a drawn input is allowed to bring back, signed.
///
/// It binds the folder, the field, the destination rule, types, size, count, subject and life. The browser carries it; nothing is
/// stored on the server, so drawing an input costs no database write.
///
/// Spelled `v1.<payload>.<signature>`, both in base64url; the signature covers `v1.<payload>` as text.
package struct Ticket: Sendable, Equatable {
    /// More would not fit into a header or an attribute comfortably.
    package static let maximumBytes = 1_024

    private static let version = "v1"

    /// Below it, and directly below it, lie the keys it admits. No trailing slash.
    package var folder: String
    package var field: String
    package var uploadTo: String
    package var accept: [String]
    package var maximumSize: Int64
    package var maximumCount: Int
    /// A digest of the user or session; empty when the app named none.
    package var subject: String
    package var issuedAt: Date
    package var expiresAt: Date

    package init(
        folder: String,
        field: String,
        uploadTo: String,
        accept: [String],
        maximumSize: Int64,
        maximumCount: Int,
        subject: String,
        issuedAt: Date,
        expiresAt: Date
    ) {
        self.folder = folder
        self.field = field
        self.uploadTo = uploadTo
        self.accept = accept
        self.maximumSize = maximumSize
        self.maximumCount = maximumCount
        self.subject = subject
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// One letter a name, because 1 KiB is soon full.
    private struct Payload: Codable {
        var f: String
        var n: String
        var d: String
        var a: [String]
        var s: Int64
        var c: Int
        var u: String
        var i: Int64
        var e: Int64
    }

    package enum Refusal: Error, Equatable {
        case tooLong, malformed, unknownVersion, forged, expired
    }

    /// The digest that stands for a subject, so that a ticket tells nobody who the user is.
    package static func digest(ofSubject subject: String?) -> String {
        guard let subject else { return "" }
        return Base64URL.encode(Data(SHA256.hash(data: Data("s3file subject\0\(subject)".utf8)).prefix(16)))
    }

    /// - Throws: ``ConfigurationError`` when what the field declares does not fit into 1 KiB.
    package func signed(with keys: SigningKeys) throws -> String {
        let payload = Payload(
            f: self.folder,
            n: self.field,
            d: self.uploadTo,
            a: self.accept,
            s: self.maximumSize,
            c: self.maximumCount,
            u: self.subject,
            i: Int64(self.issuedAt.timeIntervalSince1970),
            e: Int64(self.expiresAt.timeIntervalSince1970)
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let message = Self.version + "." + Base64URL.encode(try encoder.encode(payload))
        let token = message + "." + Base64URL.encode(keys.sign(Data(message.utf8), for: .ticket))
        guard token.utf8.count <= Self.maximumBytes else {
            throw ConfigurationError(
                "The ticket of field \(self.field) has \(token.utf8.count) bytes, more than \(Self.maximumBytes): shorten uploadTo or accept"
            )
        }
        return token
    }

    /// Reads a token; the signature is checked before a byte of the payload is looked at.
    package static func read(_ token: String, keys: SigningKeys, now: Date) throws(Refusal) -> Ticket {
        guard token.utf8.count <= Self.maximumBytes else { throw .tooLong }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed }
        guard parts[0] == Self.version else { throw .unknownVersion }
        guard let body = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]) else { throw .malformed }
        guard keys.isValid(signature, of: Data("\(parts[0]).\(parts[1])".utf8), for: .ticket) else { throw .forged }
        guard
            let payload = try? JSONDecoder().decode(Payload.self, from: body),
            // Moments of the next 8,000 years: others could not be signed again.
            (0..<253_402_300_800).contains(payload.i), (0..<253_402_300_800).contains(payload.e)
        else { throw .malformed }
        let ticket = Ticket(
            folder: payload.f,
            field: payload.n,
            uploadTo: payload.d,
            accept: payload.a,
            maximumSize: payload.s,
            maximumCount: payload.c,
            subject: payload.u,
            issuedAt: Date(timeIntervalSince1970: TimeInterval(payload.i)),
            expiresAt: Date(timeIntervalSince1970: TimeInterval(payload.e))
        )
        guard now < ticket.expiresAt else { throw .expired }
        return ticket
    }
}
