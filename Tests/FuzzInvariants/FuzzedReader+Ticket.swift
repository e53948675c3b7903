import Foundation
import S3File

extension FuzzedReader {
    private static let secret = "a-secret-of-the-fuzzer-that-signs-nothing-else"

    /// Nothing passes without a signature; and what is signed reads the same when it is signed again.
    static func checkTicket(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let keys = try? SigningKeys(secrets: [self.secret]) else { throw InvariantViolation("the fuzzer's secret is none") }
        let now = Date(timeIntervalSince1970: 1_700_000_000)
        if let ticket = try? Ticket.read(String(decoding: bytes, as: UTF8.self), keys: keys, now: now) {
            throw InvariantViolation("a ticket that nobody signed was read: \(ticket)")
        }
        let message = "v1." + Base64URL.encode(Data(bytes))
        let signature = keys.sign(Data(message.utf8), for: .ticket)
        let ticket: Ticket
        do {
            ticket = try Ticket.read(message + "." + Base64URL.encode(signature), keys: keys, now: now)
        } catch {
            return
        }
        var forged = signature
        forged[forged.startIndex] ^= 1
        try require(
            (try? Ticket.read(message + "." + Base64URL.encode(forged), keys: keys, now: now)) == nil,
            "a ticket with another signature was read"
        )
        // Written anew it may be too long, since JSON has several spellings of a text.
        guard let token = try? ticket.signed(with: keys) else { return }
        try require((try? Ticket.read(token, keys: keys, now: now)) == ticket, "a ticket signed again reads as another")
    }
}
