/// What a file is, by its declared type and its first bytes.
package enum ContentType {
    /// How many bytes are looked at. All signatures lie within.
    package static let sniffedBytes = 512

    /// The type without its parameters, in lower case.
    package static func essence(_ type: String) -> String {
        String(type.prefix { $0 != ";" && $0 != " " }).lowercased()
    }

    /// Whether this is a type and nothing else. Browsers split what they are told at commas, and take the last that is a type.
    /// <https://www.rfc-editor.org/rfc/rfc9110#name-media-type>
    package static func isValid(_ essence: String) -> Bool {
        // Asked for each upload that is verified or moved; a regular expression would be read anew each time, longer than a request takes.
        let names = essence.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
        return names.count == 2 && names.allSatisfy { !$0.isEmpty && $0.allSatisfy(Self.isOfToken) }
    }

    /// <https://www.rfc-editor.org/rfc/rfc9110#name-tokens>
    private static func isOfToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+.^_`|~-".utf8.contains(byte)
        }
    }

    /// The declared type, unless the bytes tell another; then that.
    ///
    /// Bytes can only be told apart where formats have a signature. A type that builds upon the one that was told is believed: a document of an
    /// office is a ZIP archive, a table is text. One whose files must begin with a signature is not believed without it.
    ///
    /// - Parameter bytes: the first ``sniffedBytes`` of the file, or all of it.
    package static func told(by bytes: [UInt8], declared: String) -> String {
        let essence = Self.essence(declared)
        guard Self.isValid(essence) else { return ContentSignature.type(of: bytes) ?? "application/octet-stream" }
        // Text may begin like many a format, and served as the text that it was declared to be no browser takes it for one.
        guard !bytes.isEmpty, !(Self.isText(essence) && Self.isPlainText(bytes)) else { return declared }
        guard let sniffed = ContentSignature.type(of: bytes) else {
            if ContentSignature.isSigned(essence) { return "application/octet-stream" }
            return Self.isText(essence) && !Self.isPlainText(bytes) ? "application/octet-stream" : declared
        }
        return Self.builds(essence, upon: sniffed) ? declared : sniffed
    }

    private static func builds(_ declared: String, upon sniffed: String) -> Bool {
        if declared == sniffed || ContentSignature.otherNames[declared] == sniffed { return true }
        return switch sniffed {
        // Office documents, e-books, apps and Java archives are archives.
        case "application/zip":
            declared.hasPrefix("application/vnd.") || declared.hasSuffix("+zip") || declared == "application/java-archive"
        case "text/rtf": declared == "application/msword"
        // Word, Excel and Outlook files of before 2007.
        case "application/x-ole-storage":
            // Newer ones, too, when they are under a password.
            ["application/msword", "application/x-msi", "application/x-mspublisher", "application/x-hwp"].contains(declared)
                || declared.hasPrefix("application/vnd.")
        case "text/html", "text/xml", "image/svg+xml":
            declared.hasPrefix("text/") || Self.isXML(declared) || declared.hasSuffix("-flat-xml")
        case "application/gzip": declared.hasSuffix("+gzip") || declared == "application/x-compressed-tar"
        // One family of containers, with many names.
        case "video/mp4":
            [
                "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/aac", "audio/x-m4b", "video/quicktime", "video/3gpp",
                "video/3gpp2", "video/x-m4v", "image/heic",
                "image/heif",
            ].contains(declared)
        case "image/heic": declared == "image/avif"
        case "video/webm": ["audio/webm", "video/x-matroska", "audio/x-matroska"].contains(declared)
        case "application/ogg": declared.hasPrefix("audio/") || declared.hasPrefix("video/")
        // Any sound may have such a tag before it.
        case "audio/mpeg": ["audio/flac", "audio/x-flac", "audio/aac"].contains(declared)
        case "image/tiff": declared.hasPrefix("image/x-")  // The raw formats of cameras.
        default: false
        }
    }

    private static func isXML(_ type: String) -> Bool {
        type == "application/xml" || type.hasSuffix("+xml")
    }

    private static func isText(_ type: String) -> Bool {
        type.hasPrefix("text/") || type == "application/json" || type.hasSuffix("+json") || Self.isXML(type)
    }

    /// No byte that text never has; what is text in UTF-16 or UTF-32 begins with a mark.
    /// <https://mimesniff.spec.whatwg.org/#binary-data-byte>
    private static func isPlainText(_ bytes: [UInt8]) -> Bool {
        if bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE]) { return true }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x00...0x08, 0x0B, 0x0E...0x1A, 0x1C...0x1F: false
            default: true
            }
        }
    }
}
