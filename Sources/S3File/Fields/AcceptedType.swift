/// One entry of an `accept` list: a MIME type, a family of types, or a file extension.
///
/// The browser shows it in its file dialog, the policy carries what S3 can enforce of it, and the server checks it again.
public struct AcceptedType: Sendable, Hashable, CustomStringConvertible {
    private enum Rule: Hashable {
        case exact(String)
        case family(String)
        case fileExtension(String)
    }

    private let rule: Rule

    private init(rule: Rule) {
        self.rule = rule
    }

    /// Any image.
    public static let image = AcceptedType(rule: .family("image/"))
    /// Any video.
    public static let video = AcceptedType(rule: .family("video/"))
    /// Any sound.
    public static let audio = AcceptedType(rule: .family("audio/"))
    /// PDF documents, by type.
    public static let pdf = AcceptedType(rule: .exact("application/pdf"))

    /// One MIME type (`"image/png"`) or a family (`"image/*"`).
    public static func type(_ type: String) -> AcceptedType {
        let lowered = type.lowercased()
        precondition(
            lowered.utf8.count <= 127 && lowered.split(separator: "/", omittingEmptySubsequences: false).count == 2
                && lowered.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") },
            "AcceptedType: \"\(type)\" is not a MIME type; write \"image/png\" or \"image/*\""
        )
        return AcceptedType(rule: lowered.hasSuffix("/*") ? .family(String(lowered.dropLast())) : .exact(lowered))
    }

    /// A file extension, with its dot: `".pdf"`.
    public static func fileExtension(_ suffix: String) -> AcceptedType {
        precondition(
            suffix.hasPrefix(".") && (2...32).contains(suffix.utf8.count) && !suffix.contains(",") && !suffix.contains("/"),
            "AcceptedType: \"\(suffix)\" is not a file extension; write \".pdf\""
        )
        return AcceptedType(rule: .fileExtension(suffix.lowercased()))
    }

    /// As HTML's `accept` attribute writes it.
    public var description: String {
        switch self.rule {
        case .exact(let type): type
        case .family(let prefix): prefix + "*"
        case .fileExtension(let suffix): suffix
        }
    }

    /// Whether a file of this type and name is wanted. Parameters of the type (`; charset=…`) do not count.
    public func matches(contentType: String, filename: String) -> Bool {
        let essence = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        return switch self.rule {
        case .exact(let type): essence == type
        case .family(let prefix): essence.utf8.starts(with: prefix.utf8) && essence.utf8.count > prefix.utf8.count
        case .fileExtension(let suffix): filename.lowercased().hasSuffix(suffix) && filename.utf8.count > suffix.utf8.count
        }
    }

    /// Whether a file whose bytes were looked at is wanted: of a type on the list, or with an extension on it that its bytes do not belie.
    package func matches(contentType: String, bytes: [UInt8], filename: String) -> Bool {
        guard self.matches(contentType: contentType, filename: filename) else { return false }
        guard case .fileExtension(let suffix) = self.rule, let usual = Self.usualTypes[suffix], !bytes.isEmpty else {
            return true
        }
        return ContentType.told(by: bytes, declared: usual) == usual
    }

    /// An entry as HTML's `accept` attribute has it; `nil` when it is neither a type nor an extension.
    package init?(entry text: String) {
        let lowered = text.lowercased()
        guard lowered.utf8.count <= 127, lowered.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }) else {
            return nil
        }
        let slashes = lowered.split(separator: "/", omittingEmptySubsequences: false)
        if lowered.hasPrefix("."), lowered.utf8.count > 1, slashes.count == 1 {
            self.rule = .fileExtension(lowered)
        } else if slashes.count == 2, !slashes[0].isEmpty, !slashes[1].isEmpty {
            self.rule = slashes[1] == "*" ? .family(slashes[0] + "/") : .exact(lowered)
        } else {
            return nil
        }
    }

    /// Whether a list as HTML's `accept` attribute has it admits a file. An entry that is no type and no extension admits nothing.
    package static func list(_ entries: [String], accepts type: String, bytes: [UInt8], filename: String) -> Bool {
        entries.contains { entry in
            AcceptedType(entry: entry)?.matches(contentType: type, bytes: bytes, filename: filename) == true
        }
    }

    /// Whether a list as HTML's `accept` attribute has it may admit a file of which only the declared type is known: its name is for later.
    static func declared(_ contentType: String, mayBeIn entries: [String]) -> Bool {
        guard !entries.isEmpty else { return true }
        return entries.compactMap { AcceptedType(entry: $0) }.contains { accepted in
            if case .fileExtension = accepted.rule { return true }
            return accepted.matches(contentType: contentType, filename: "")
        }
    }

    /// What files with an extension are, where their bytes can tell.
    private static let usualTypes = [
        ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
        ".bmp": "image/bmp",
        ".tif": "image/tiff", ".tiff": "image/tiff", ".heic": "image/heic", ".avif": "image/avif", ".psd": "image/x-photoshop",
        ".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp4": "video/mp4",
        ".mov": "video/quicktime", ".webm": "video/webm", ".avi": "video/x-msvideo", ".pdf": "application/pdf",
        ".zip": "application/zip",
        ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ".gz": "application/gzip", ".7z": "application/x-7z-compressed", ".rar": "application/x-rar-compressed",
        ".txt": "text/plain",
        ".csv": "text/csv", ".json": "application/json",
    ]

    /// What a POST policy can say of a list: exact for one type, a prefix for one family, otherwise anything, and the server re-checks.
    package enum PolicyCondition: Equatable {
        case exact(String)
        case startsWith(String)
    }

    package static func policyCondition(for accept: [AcceptedType]) -> PolicyCondition {
        guard accept.count == 1, let only = accept.first else { return .startsWith("") }
        return switch only.rule {
        case .exact(let type): .exact(type)
        case .family(let prefix): .startsWith(prefix)
        case .fileExtension: .startsWith("")
        }
    }
}
