package import Foundation

/// Base64 in the URL-safe alphabet, without padding (RFC 4648, section 5).
package enum Base64URL {
    package static func encode(_ data: Data) -> String {
        var text = data.base64EncodedString()
        text.replace("+", with: "-")
        text.replace("/", with: "_")
        text.replace("=", with: "")
        return text
    }

    /// Strict: only what ``encode(_:)`` could have produced decodes, so that one value has one spelling.
    package static func decode(_ text: some StringProtocol) -> Data? {
        var standard = String(text)
        standard.replace("-", with: "+")
        standard.replace("_", with: "/")
        standard += String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: standard), Self.encode(data).utf8.elementsEqual(text.utf8) else { return nil }
        return data
    }
}
