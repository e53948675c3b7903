import Foundation
@testable import S3File
import Testing

@Suite struct TicketTests {
    static let now = Date(timeIntervalSince1970: 1_700_000_000)
    static let secret = "first-secret-of-at-least-32-bytes!"
    static let older = "older-secret-of-at-least-32-bytes!"

    private let keys: SigningKeys
    private let ticket = Ticket(
        folder: "tmp/s3file/AbCdEfGhIjKlMnOpQrStUv",
        field: "avatar",
        uploadTo: "avatars/%Y/",
        accept: ["image/*"],
        maximumSize: 20_000_000,
        maximumCount: 1,
        subject: Ticket.digest(ofSubject: "user-42"),
        issuedAt: Self.now,
        expiresAt: Self.now.addingTimeInterval(3600)
    )

    init() throws {
        self.keys = try SigningKeys(secrets: [Self.secret, Self.older])
    }

    @Test func `what was signed is read back, and fits into 1 KiB and a URL`() throws {
        let token = try self.ticket.signed(with: self.keys)
        #expect(try Ticket.read(token, keys: self.keys, now: Self.now) == self.ticket)
        #expect(token.utf8.count <= 1_024)
        #expect(token.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
    }

    @Test func `what goes on after a reload is of the same field, rules and user, whatever the page`() {
        var other = self.ticket
        (other.folder, other.issuedAt, other.expiresAt) = ("tmp/s3file/x", Self.now.addingTimeInterval(60), .distantFuture)
        #expect(other.resumeScope == self.ticket.resumeScope && self.ticket.resumeScope.utf8.count == 16)
        other.subject = Ticket.digest(ofSubject: "user-43")
        var another = self.ticket
        another.uploadTo = "avatars/"
        #expect(Set([self.ticket, other, another].map(\.resumeScope)).count == 3)
    }

    /// A token with these bytes, signed as ours are.
    private func token(_ payload: [UInt8]) -> String {
        let message = "v2." + Base64URL.encode(payload)
        return message + "." + Base64URL.encode(self.keys.sign(Array(message.utf8), for: .ticket))
    }

    private static func payload(issuedAt: UInt64 = 1_700_000_000, expiresAt: UInt64 = 1_700_003_600, accept: [String] = [])
        -> [UInt8]
    {
        var payload = TicketPayload.Writer()
        for number in [issuedAt, expiresAt, 1, 1] { payload.append(number) }
        for text in ["", "a", "b", "c"] { payload.append(text) }
        payload.append(accept)
        return payload.bytes
    }

    @Test(arguments: [(253_402_300_800, 0), (0, 253_402_300_800), (.max, 0), (0, .max)] as [(UInt64, UInt64)])
    func `a moment that no clock reaches is malformed, signed or not`(issuedAt: UInt64, expiresAt: UInt64) throws {
        let token = self.token(Self.payload(issuedAt: issuedAt, expiresAt: expiresAt))
        #expect(throws: Ticket.Refusal.malformed) { try Ticket.read(token, keys: self.keys, now: Self.now) }
    }

    @Test func `a payload that is cut, or has more behind it, is malformed, signed or not`() throws {
        let payload = Self.payload(accept: ["image/*", ".pdf"])
        #expect(try Ticket.read(self.token(payload), keys: self.keys, now: Self.now).accept == ["image/*", ".pdf"])
        for length in 0..<payload.count {
            #expect(throws: Ticket.Refusal.malformed, "\(length) bytes") {
                try Ticket.read(self.token(Array(payload.prefix(length))), keys: self.keys, now: Self.now)
            }
        }
        #expect(throws: Ticket.Refusal.malformed) { try Ticket.read(self.token(payload + [0]), keys: self.keys, now: Self.now) }
    }

    @Test func `a ticket of the version before is of no known version`() throws {
        let message = "v1." + Base64URL.encode(Self.payload())
        let token = message + "." + Base64URL.encode(self.keys.sign(Array(message.utf8), for: .ticket))
        #expect(throws: Ticket.Refusal.unknownVersion) { try Ticket.read(token, keys: self.keys, now: Self.now) }
    }

    @Test func `what no ticket can say is not signed`() {
        var (small, few, early) = (self.ticket, self.ticket, self.ticket)
        small.maximumSize = -1
        few.maximumCount = -1
        early.issuedAt = Date(timeIntervalSince1970: -1)
        for ticket in [small, few, early] {
            #expect(throws: ConfigurationError.self) { try ticket.signed(with: self.keys) }
        }
        var long = self.ticket
        long.accept = [String(repeating: "a", count: 1_000)]
        #expect(throws: ConfigurationError.self) { try long.signed(with: self.keys) }
    }

    @Test func `the age of a ticket can be left to others to judge, its signature cannot`() throws {
        let token = try self.ticket.signed(with: self.keys)
        #expect(try Ticket.read(token, keys: self.keys) == self.ticket)
        #expect(throws: Ticket.Refusal.forged) {
            try Ticket.read(token, keys: SigningKeys(secrets: ["another-secret-of-at-least-32-bytes"]))
        }
    }

    @Test func `a ticket of the older secret is still accepted, one of another is not`() throws {
        let older = try self.ticket.signed(with: SigningKeys(secrets: [Self.older]))
        #expect(try Ticket.read(older, keys: self.keys, now: Self.now) == self.ticket)
        let foreign = try self.ticket.signed(with: SigningKeys(secrets: ["another-secret-of-at-least-32-bytes"]))
        #expect(throws: Ticket.Refusal.forged) { try Ticket.read(foreign, keys: self.keys, now: Self.now) }
    }

    @Test func `changing any one character is noticed`() throws {
        let token = Array(try self.ticket.signed(with: self.keys))
        for index in token.indices {
            var changed = token
            changed[index] = changed[index] == "A" ? "B" : "A"
            #expect(throws: Ticket.Refusal.self, "position \(index)") {
                try Ticket.read(String(changed), keys: self.keys, now: Self.now)
            }
        }
    }

    @Test func `a ticket ends with its time`() throws {
        let token = try self.ticket.signed(with: self.keys)
        #expect(throws: Never.self) { try Ticket.read(token, keys: self.keys, now: Self.now.addingTimeInterval(3599)) }
        #expect(throws: Ticket.Refusal.expired) {
            try Ticket.read(token, keys: self.keys, now: Self.now.addingTimeInterval(3600))
        }
    }

    @Test(arguments: [
        "", ".", "v2", "v2..", "v1.e30.e30", "v2.e30.e30", "v2.%.%", "v2.e30.e30.e30", String(repeating: "a", count: 1025),
    ])
    func `what is no ticket is refused`(token: String) {
        #expect(throws: Ticket.Refusal.self) { try Ticket.read(token, keys: self.keys, now: Self.now) }
    }

    @Test func `a status token is for one upload only`() throws {
        let tokens = StatusToken(keys: self.keys)
        let (one, other) = (UUID(), UUID())
        #expect(tokens.isValid(tokens.token(for: one), for: one))
        #expect(!tokens.isValid(tokens.token(for: one), for: other))
        #expect(!tokens.isValid("", for: one))
    }

    @Test func `a secret that can be guessed is refused`() {
        #expect(throws: ConfigurationError.self) { try SigningKeys(secrets: ["short"]) }
        #expect(throws: ConfigurationError.self) { try SigningKeys(secrets: []) }
    }

    @Test func `subjects are told apart, and nobody is not somebody`() {
        #expect(Ticket.digest(ofSubject: "a") != Ticket.digest(ofSubject: "b"))
        #expect(Ticket.digest(ofSubject: nil) != Ticket.digest(ofSubject: ""))
    }
}

@Suite struct CanonicalKeyTests {
    let folder = "tmp/s3file/AbC"

    @Test(arguments: ["x", "100%.txt", "a%20b.txt", "a&b<c>.txt", "ünï 文.txt", "u\u{308}.txt", "...", ".hidden", "a b", "%2e%2e"])
    func `every legal name is accepted as it is`(name: String) {
        #expect(CanonicalKey.isValid("\(self.folder)/\(name)", in: self.folder))
    }

    @Test(arguments: [
        "", "tmp/s3file/AbC", "tmp/s3file/AbC/", "tmp/s3file/AbCX/x", "tmp/s3file/AbC/a/b", "tmp/s3file/AbC/../x",
        "tmp/s3file/AbC/..",
        "tmp/s3file/AbC/.", "tmp/s3file//AbC/x", "/tmp/s3file/AbC/x", "tmp/s3file/AbC/a\\b", "tmp/s3file/AbC/a\u{0}",
        "tmp/s3file/AbC/a\nb",
        "tmp/s3file/AbC/a\u{85}b", "tmp/s3file/abc/x", "other/x",
    ])
    func `anything else is refused`(key: String) {
        #expect(!CanonicalKey.isValid(key, in: self.folder))
    }

    @Test func `a key has at most 1,024 bytes`() {
        let room = 1_024 - self.folder.utf8.count - 1
        #expect(CanonicalKey.isValid(self.folder + "/" + String(repeating: "a", count: room), in: self.folder))
        #expect(!CanonicalKey.isValid(self.folder + "/" + String(repeating: "a", count: room + 1), in: self.folder))
    }

    @Test func `two spellings of one letter are two keys`() {
        #expect(!CanonicalKey.isValid("tmp/u\u{308}/x", in: "tmp/\u{FC}"))
    }
}
