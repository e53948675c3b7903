package import Foundation

/// Base64 in the URL-safe alphabet, without padding (RFC 4648, section 5).
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// What stands for no digit in ``values``.
    private static let none: UInt8 = 0xFF
    /// The value of each digit.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: none, count: 256)
        for (value, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        let alphabet = self.alphabet
        var (bits, count) = (UInt32(0), 0)
        for byte in bytes {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// 128 bits that nobody can guess, as 22 characters: in two calls to the system for them, not in one for each byte.
    package static func random() -> String {
        var random = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for number in [random.next(), random.next()] { withUnsafeBytes(of: number) { bytes += $0 } }
        return self.encode(bytes)
    }

    /// Strict: only what ``encode(_:)`` could have produced decodes, so that one value has one spelling.
    package static func decode(_ text: some StringProtocol) -> Data? {
        self.decode(digits: Array(text.utf8)[...]).map { Data($0) }
    }

    /// The same, of a text as bytes.
    static func decode(digits: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count * 3 / 4)
        let values = self.values
        var (bits, count) = (UInt32(0), 0)
        for digit in digits {
            let value = values[Int(digit)]
            guard value != self.none else { return nil }
            (bits, count) = (bits << 6 | UInt32(value), count + 6)
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        // A whole digit too many, or bits that no byte has: another spelling of the same bytes.
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return bytes
    }
}
