/// The name of a stored file, by the rules that Django's users know: the base name, spaces become `_`, and everything but
/// letters, digits, `_`, `-` and `.` goes.
/// <https://docs.djangoproject.com/en/5.2/ref/files/storage/#django.core.files.storage.Storage.get_valid_name>
///
/// It shapes the *destination* only. A tmp key is never rewritten, and the person's own name stays as it was in the record.
package enum Filename {
    /// Long enough for any real name, and short enough to leave a key's 1,024 bytes to the folder.
    static let maximumBytes = 200

    package static func sanitised(_ name: String) -> String {
        let base = name.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        var result = ""
        for scalar in base.unicodeScalars {
            if scalar.properties.isWhitespace {
                result.unicodeScalars.append("_")
            } else if Self.isWord(scalar) || scalar == "-" || scalar == "." {
                result.unicodeScalars.append(scalar)
            }
        }
        result = Self.shortened(result)
        return result.isEmpty || result.allSatisfy({ $0 == "." }) ? "file" : result
    }

    /// The key with `_` and 7 random characters before its extension, as Django names a file whose name is taken.
    package static func alternative(toKey key: String) -> String {
        let suffix = String(
            (0..<7).compactMap { _ in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".randomElement() }
        )
        let nameStart = key.lastIndex(of: "/").map { key.index(after: $0) } ?? key.startIndex
        guard let dot = key[nameStart...].lastIndex(of: "."), dot > nameStart else { return "\(key)_\(suffix)" }
        return "\(key[..<dot])_\(suffix)\(key[dot...])"
    }

    /// `\w` of Python's `re`: letters and digits of any script, marks that belong to letters, and `_`.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "_" { return true }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        case .decimalNumber, .letterNumber, .otherNumber, .nonspacingMark, .spacingMark: true
        default: false
        }
    }

    /// Cuts the stem and keeps a short extension, so that a long name stays openable.
    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > Self.maximumBytes else { return name }
        let dot = name.lastIndex(of: ".")
        let suffix = dot.map { String(name[$0...]) } ?? ""
        let kept = suffix.utf8.count <= 32 ? suffix : ""
        var stem = kept.isEmpty ? name : String(name.dropLast(kept.count))
        while stem.utf8.count + kept.utf8.count > Self.maximumBytes { stem.removeLast() }
        return stem + kept
    }
}
