/// Percent-encoding as AWS writes it for Signature Version 4.
///
/// Every byte is encoded except the unreserved characters of RFC 3986 (`A`–`Z`, `a`–`z`, `0`–`9`, `-`, `.`, `_`, `~`); a space
/// is `%20`, hexadecimal digits are upper case, and a slash is kept only in an object's path.
/// ([AWS: Signature Calculations](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html))
package enum URIEncoding {
    /// The bytes of `text`, encoded. Nothing is normalised: what decodes from the result is `text`, byte for byte.
    package static func encode(_ text: String, keepSlash: Bool = false) -> String {
        // Most keys, and all names of parameters, are already as they should be.
        if text.utf8.allSatisfy({ self.isUnreserved($0) || (keepSlash && $0 == UInt8(ascii: "/")) }) { return text }
        return self.encode(text.utf8, keepSlash: keepSlash)
    }

    package static func encode(_ bytes: some Collection<UInt8>, keepSlash: Bool = false) -> String {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.count + bytes.count / 2)
        for byte in bytes {
            if self.isUnreserved(byte) || (keepSlash && byte == UInt8(ascii: "/")) {
                encoded.append(byte)
            } else {
                encoded.append(UInt8(ascii: "%"))
                encoded.append(self.hexadecimal(byte >> 4))
                encoded.append(self.hexadecimal(byte & 0x0F))
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// The bytes that `text` stands for, or `nil` when a `%` is not followed by two hexadecimal digits.
    ///
    /// - Parameter plusIsSpace: true for a query string, false for a path, where `+` is itself.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> [UInt8]? {
        var decoded: [UInt8] = []
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard
                    let high = bytes.next().flatMap(self.digit), let low = bytes.next().flatMap(self.digit)
                else { return nil }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                decoded.append(UInt8(ascii: " "))
            default:
                decoded.append(byte)
            }
        }
        return decoded
    }

    /// ``decode(_:plusIsSpace:)`` for text: also `nil` when the bytes are not UTF-8.
    package static func decodeText(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        self.decode(text, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// `name=value` pairs joined by `&`, in the order given.
    package static func query(_ items: [(name: String, value: String)]) -> String {
        items.map { "\(self.encode($0.name))=\(self.encode($0.value))" }.joined(separator: "&")
    }

    /// The pairs of a raw query string, decoded, in order, or `nil` when it is not validly encoded UTF-8.
    ///
    /// A name without `=`, as in `?uploads`, has an empty value: that is also how it is signed.
    package static func parseQuery(_ query: some StringProtocol) -> [(name: String, value: String)]? {
        var items: [(name: String, value: String)] = []
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = self.decodeText(halves[0], plusIsSpace: true) else { return nil }
            guard let value = self.decodeText(halves.count > 1 ? halves[1] : "", plusIsSpace: true) else { return nil }
            items.append((name, value))
        }
        return items
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            return true
        default:
            return false
        }
    }

    private static func hexadecimal(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
        default: return nil
        }
    }
}
