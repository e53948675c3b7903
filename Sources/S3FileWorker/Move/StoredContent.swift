import S3
import S3File

/// How a stored file is served: the type and disposition that the destination object gets.
///
/// A type is kept only if it cannot run code in the bucket's origin; anything else is handed over as bytes to save. The person's own name comes
/// back through `Content-Disposition`.
struct StoredContent: Equatable {
    var contentType: String
    var contentDisposition: String
    /// The type that the bytes told, when it is not the declared one.
    var changedType: String?

    init(type: String, filename: String, declared: String? = nil) {
        let essence = ContentType.essence(type)
        self.changedType = declared.flatMap { $0 == type ? nil : type }
        let inline = ContentType.isValid(essence) && Self.isShown(essence)
        self.contentType = inline || !Self.isActive(essence) ? essence : "application/octet-stream"
        self.contentDisposition = (inline ? "inline" : "attachment") + "; " + Self.filenameParameters(filename)
    }

    /// All that the object gets, with what the app said for it.
    func attributes(_ settings: StorageSettings, stamp: Stamp) -> S3ObjectAttributes {
        S3ObjectAttributes(
            contentType: self.contentType,
            contentDisposition: settings.contentDisposition ?? self.contentDisposition,
            cacheControl: settings.cacheControl,
            metadata: settings.metadata.merging(stamp.metadata) { _, stamp in stamp },
            tags: settings.tags,
            storageClass: settings.storageClass,
            encryption: settings.encryption.map { encryption in
                switch encryption {
                case .s3: .s3
                case .kms(let keyID): .kms(keyID: keyID)
                }
            },
            acl: settings.acl
        )
    }

    /// Types that a browser shows without running anything.
    private static func isShown(_ type: String) -> Bool {
        switch type {
        case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "application/pdf", "text/plain":
            true
        default: type.hasPrefix("video/") || type.hasPrefix("audio/")
        }
    }

    /// Types that a browser may run, also when it guesses; and whatever is not a type at all.
    private static func isActive(_ type: String) -> Bool {
        guard ContentType.isValid(type), let slash = type.firstIndex(of: "/") else { return true }
        let subtype = type[slash...]
        return type.hasPrefix("text/") || subtype.contains("html") || subtype.contains("xml") || subtype.contains("script")
            || subtype.contains("svg") || subtype.contains("flash")
    }

    /// Both spellings of RFC 6266: an ASCII approximation for old clients and the exact name in UTF-8.
    private static func filenameParameters(_ filename: String) -> String {
        var ascii = ""
        var encoded = ""
        for byte in filename.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                ascii.unicodeScalars.append(Unicode.Scalar(byte))
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                if byte == UInt8(ascii: " ") { ascii += " " } else if byte < 0x80 || byte >= 0xC0 { ascii += "_" }
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return "filename=\"\(ascii)\"; filename*=UTF-8''\(encoded)"
    }
}
