import Crypto
package import Foundation

/// What a drawn input is allowed to bring back, signed.
///
/// It binds the folder, the field, the destination rule, types, size, count, subject and life. The browser carries it; nothing is
/// stored on the server, so drawing an input costs no database write.
///
/// Spelled `v2.<payload>.<signature>`, both in base64url; the signature covers `v2.<payload>` as text. The payload is ``TicketPayload``'s.
package struct Ticket: Sendable, Equatable {
    /// More would not fit into a header or an attribute comfortably.
    package static let maximumBytes = 1_024

    private static let version = "v2"
    /// Seconds since 1970, of the next 8,000 years.
    private static let moments: Range<Int64> = 0..<253_402_300_800

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

    package enum Refusal: Error, Equatable {
        case tooLong, malformed, unknownVersion, forged, expired
    }

    /// The digest that stands for a subject, so that a ticket tells nobody who the user is.
    package static func digest(ofSubject subject: String?) -> String {
        guard let subject else { return "" }
        return Base64URL.encode(Data(SHA256.hash(data: Data("s3file subject\0\(subject)".utf8)).prefix(16)))
    }

    /// The same for every ticket of the same rules and subject, and says nothing of them.
    package var resumeScope: String {
        let text = ["s3file resume", self.field, self.uploadTo, self.accept.joined(separator: ","), self.subject]
        return Base64URL.encode(Data(SHA256.hash(data: Data(text.joined(separator: "\0").utf8)).prefix(12)))
    }

    /// - Throws: ``ConfigurationError`` when what the field declares does not fit into 1 KiB, or is less than nothing.
    package func signed(with keys: SigningKeys) throws -> String {
        let message = Self.version + "." + Base64URL.encode(try self.payload())
        let token = message + "." + Base64URL.encode(keys.sign(Array(message.utf8), for: .ticket))
        guard token.utf8.count <= Self.maximumBytes else {
            throw ConfigurationError(
                "The ticket of field \(self.field) has \(token.utf8.count) bytes, more than \(Self.maximumBytes): shorten uploadTo or accept"
            )
        }
        return token
    }

    private func payload() throws(ConfigurationError) -> [UInt8] {
        guard
            let maximumSize = UInt64(exactly: self.maximumSize), let maximumCount = UInt64(exactly: self.maximumCount),
            let issuedAt = Self.seconds(self.issuedAt), let expiresAt = Self.seconds(self.expiresAt)
        else {
            throw ConfigurationError("Field \(self.field) has a size, a count or a time below zero: declare it with others")
        }
        var payload = TicketPayload.Writer()
        payload.append(issuedAt)
        payload.append(expiresAt)
        payload.append(maximumSize)
        payload.append(maximumCount)
        payload.append(self.subject)
        payload.append(self.folder)
        payload.append(self.field)
        payload.append(self.uploadTo)
        payload.append(self.accept)
        return payload.bytes
    }

    private static func seconds(_ date: Date) -> UInt64? {
        let seconds = date.timeIntervalSince1970.rounded(.down)
        guard seconds >= 0, seconds < TimeInterval(Self.moments.upperBound) else { return nil }
        return UInt64(seconds)
    }

    /// Reads a token that is still good.
    package static func read(_ token: String, keys: SigningKeys, now: Date) throws(Refusal) -> Ticket {
        let ticket = try Self.read(token, keys: keys)
        guard now < ticket.expiresAt else { throw .expired }
        return ticket
    }

    /// Reads a token whatever its age: only for who decides that by other means. The signature is checked before a byte of the payload is
    /// looked at.
    package static func read(_ token: String, keys: SigningKeys) throws(Refusal) -> Ticket {
        guard token.utf8.count <= Self.maximumBytes else { throw .tooLong }
        let bytes = Array(token.utf8)
        let dot = UInt8(ascii: ".")
        guard let first = bytes.firstIndex(of: dot), let last = bytes.lastIndex(of: dot), first < last else { throw .malformed }
        guard bytes[..<first].elementsEqual(Self.version.utf8) else { throw .unknownVersion }
        // A further dot is no digit.
        guard
            let payload = Base64URL.decode(digits: bytes[(first + 1)..<last]),
            let signature = Base64URL.decode(digits: bytes[(last + 1)...])
        else { throw .malformed }
        guard keys.isValid(signature, of: bytes[..<last], for: .ticket) else { throw .forged }
        var reader = TicketPayload.Reader(payload)
        guard
            let issuedAt = reader.number(), let expiresAt = reader.number(), let maximumSize = reader.number(),
            let maximumCount = reader.number().flatMap({ Int(exactly: $0) }), let subject = reader.text(),
            let folder = reader.text(),
            let field = reader.text(), let uploadTo = reader.text(), let accept = reader.texts(), reader.isAtEnd,
            // Others could not be signed again.
            Self.moments.contains(issuedAt), Self.moments.contains(expiresAt)
        else { throw .malformed }
        return Ticket(
            folder: folder,
            field: field,
            uploadTo: uploadTo,
            accept: accept,
            maximumSize: maximumSize,
            maximumCount: maximumCount,
            subject: subject,
            issuedAt: Date(timeIntervalSince1970: TimeInterval(issuedAt)),
            expiresAt: Date(timeIntervalSince1970: TimeInterval(expiresAt))
        )
    }
}
