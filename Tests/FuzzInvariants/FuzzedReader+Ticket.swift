import Foundation
import S3File

extension FuzzedReader {
    private static let secret = "a-secret-of-the-fuzzer-that-signs-nothing-else"

    /// Nothing passes without a signature; and what was read is spelled the same when it is signed again.
    static func checkTicket(_ bytes: [UInt8]) throws(InvariantViolation) {
        guard let keys = try? SigningKeys(secrets: [self.secret]) else { throw InvariantViolation("the fuzzer's secret is none") }
        let now = Date(timeIntervalSince1970: 1_700_000_000)
        if let ticket = try? Ticket.read(String(decoding: bytes, as: UTF8.self), keys: keys, now: now) {
            throw InvariantViolation("a ticket that nobody signed was read: \(ticket)")
        }
        let message = "v2." + Base64URL.encode(Data(bytes))
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
        // One spelling: what is signed again is the same text.
        do {
            let token = try ticket.signed(with: keys)
            try require(token == message + "." + Base64URL.encode(signature), "a ticket signed again is spelled otherwise")
        } catch let violation as InvariantViolation {
            throw violation
        } catch {
            throw InvariantViolation("a ticket that was read cannot be signed again: \(error)")
        }
    }
}
