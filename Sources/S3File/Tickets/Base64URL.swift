package import Foundation

/// Base64 in the URL-safe alphabet, without padding (RFC 4648, section 5).
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    package static func encode(_ data: Data) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((data.count * 4 + 2) / 3)
        var (bits, count) = (UInt32(0), 0)
        for byte in data {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(Self.alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(Self.alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Strict: only what ``encode(_:)`` could have produced decodes, so that one value has one spelling.
    package static func decode(_ text: some StringProtocol) -> Data? {
        var data: [UInt8] = []
        data.reserveCapacity(text.utf8.count * 3 / 4)
        var (bits, count) = (UInt32(0), 0)
        for byte in text.utf8 {
            guard let value = Self.value(byte) else { return nil }
            (bits, count) = (bits << 6 | UInt32(value), count + 6)
            if count >= 8 {
                count -= 8
                data.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        // A whole digit too many, or bits that no byte has: another spelling of the same bytes.
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return Data(data)
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
