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

    @Test(arguments: [("i", Int64.min), ("e", Int64.max), ("e", 253_402_300_800)])
    func `a moment that no clock reaches is malformed, signed or not`(name: String, value: Int64) throws {
        var payload = #"{"f":"a","n":"b","d":"c","a":[],"s":1,"c":1,"u":"","i":1700000000,"e":1700003600}"#
        payload = payload.replacing(name == "i" ? "1700000000" : "1700003600", with: String(value))
        let message = "v1." + Base64URL.encode(Data(payload.utf8))
        let token = message + "." + Base64URL.encode(self.keys.sign(Data(message.utf8), for: .ticket))
        #expect(throws: Ticket.Refusal.malformed) { try Ticket.read(token, keys: self.keys, now: Self.now) }
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

    @Test(arguments: ["", ".", "v1", "v1..", "v2.e30.e30", "v1.e30.e30", "v1.%.%", String(repeating: "a", count: 1025)])
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
