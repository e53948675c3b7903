/// The one check that a posted key passes before anything is done with it.
///
/// The bytes that were verified are the bytes that are used: nothing is decoded, normalised or cleaned. Comparison is by bytes, because
/// Swift's `==` on strings takes two spellings of `ü` for one.
package enum CanonicalKey {
    /// S3's own bound. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
    package static let maximumBytes = 1_024

    /// Whether `key` is canonical and lies directly in `folder`.
    package static func isValid(_ key: String, in folder: String) -> Bool {
        // The folder first: that costs little where a key is asked of many folders.
        let rest = key.utf8.dropFirst(folder.utf8.count)
        guard key.utf8.starts(with: folder.utf8), rest.first == UInt8(ascii: "/") else { return false }
        return rest.count > 1 && !rest.dropFirst().contains(UInt8(ascii: "/")) && Self.isCanonical(key)
    }

    /// Whether `key` has no part `.`, `..` or empty, no backslash, no control character, no slash at an end, and 1 to 1,024 bytes.
    package static func isCanonical(_ key: String) -> Bool {
        guard (1...Self.maximumBytes).contains(key.utf8.count) else { return false }
        for scalar in key.unicodeScalars where scalar == "\\" || scalar.properties.generalCategory == .control {
            return false
        }
        return key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        }
    }
}
