/// The bytes that files of a format begin with.
///
/// The formats and their bytes are those of the MIME Sniffing Standard (<https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern>), with
/// some that people upload and browsers do not show.
struct ContentSignature: Sendable {
    let type: String
    let offset: Int
    /// `nil` matches any byte.
    let bytes: [UInt8?]

    private init(_ type: String, _ text: String, at offset: Int = 0) {
        self.type = type
        self.offset = offset
        self.bytes = text.unicodeScalars.map { UInt8($0.value) }
    }

    private init(_ type: String, hex: [UInt8?], at offset: Int = 0) {
        self.type = type
        self.offset = offset
        self.bytes = hex
    }

    /// The type that a file's first bytes tell; `nil` when they tell none.
    static func type(of bytes: [UInt8]) -> String? {
        if let signature = Self.all.first(where: { $0.matches(bytes) }) { return signature.type }
        // Readers of PDF forgive what comes before it, and printers put it there.
        let blank: Set<UInt8> = [0xEF, 0xBB, 0xBF, 0x09, 0x0A, 0x0D, 0x20]
        if bytes.drop(while: blank.contains).starts(with: "%PDF-".utf8) { return "application/pdf" }
        return Self.isMP4(bytes) ? "video/mp4" : Self.markup(bytes)
    }

    private func matches(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= self.offset + self.bytes.count else { return false }
        return zip(self.bytes, bytes[self.offset...]).allSatisfy { $0 == nil || $0 == $1 }
    }

    /// Whether files of a type cannot begin in another way than one of the signatures.
    static func isSigned(_ type: String) -> Bool {
        self.signedTypes.contains(Self.otherNames[type] ?? type)
            || type.hasPrefix("application/vnd.openxmlformats-") || type.hasPrefix("application/vnd.oasis.opendocument.")
    }

    private static let signedTypes: Set<String> = [
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "audio/flac", "video/webm", "application/pdf",
        "application/zip",
        "application/gzip", "application/x-7z-compressed", "application/x-rar-compressed", "font/woff", "font/woff2",
    ]

    /// Names that mean the same.
    static let otherNames = [
        "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png",
        "image/x-icon": "image/vnd.microsoft.icon",
        "image/x-ms-bmp": "image/bmp", "image/vnd.adobe.photoshop": "image/x-photoshop", "audio/mp3": "audio/mpeg",
        "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "audio/x-flac": "audio/flac",
        "audio/x-aiff": "audio/aiff", "video/msvideo": "video/x-msvideo", "video/avi": "video/x-msvideo",
        "application/x-pdf": "application/pdf", "application/x-zip-compressed": "application/zip",
        "application/x-gzip": "application/gzip",
        "application/x-bzip2": "application/x-bzip", "application/vnd.rar": "application/x-rar-compressed",
        "application/x-rar": "application/x-rar-compressed", "application/rtf": "text/rtf", "application/font-woff": "font/woff",
        "application/vnd.sqlite3": "application/x-sqlite3", "image/heif": "image/heic", "image/heic-sequence": "image/heic",
    ]

    private static let all: [ContentSignature] = [
        .init("image/png", hex: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
        .init("image/jpeg", hex: [0xFF, 0xD8, 0xFF]),
        .init("image/gif", "GIF87a"), .init("image/gif", "GIF89a"),
        .init("image/webp", hex: Self.riff("WEBP")),
        // With its four reserved bytes, since two letters are soon found.
        .init("image/bmp", hex: [0x42, 0x4D, nil, nil, nil, nil, 0, 0, 0, 0]),
        .init("image/vnd.microsoft.icon", hex: [0, 0, 1, 0]),
        .init("image/tiff", hex: [0x49, 0x49, 0x2A, 0x00]), .init("image/tiff", hex: [0x4D, 0x4D, 0x00, 0x2A]),
        .init("image/x-photoshop", "8BPS"),
        .init("image/jxl", hex: [0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20, 0x0D, 0x0A, 0x87, 0x0A]),
        .init("image/jxl", hex: [0xFF, 0x0A]),
        .init("image/avif", "ftypavif", at: 4), .init("image/avif", "ftypavis", at: 4),
        .init("image/heic", "ftypheic", at: 4), .init("image/heic", "ftypheix", at: 4), .init("image/heic", "ftypmif1", at: 4),
        .init("audio/wav", hex: Self.riff("WAVE")),
        .init("audio/mpeg", "ID3"), .init("audio/mpeg", hex: [0xFF, 0xFB]), .init("audio/mpeg", hex: [0xFF, 0xF3]),
        .init("audio/mpeg", hex: [0xFF, 0xF2]),
        .init("audio/flac", "fLaC"),
        .init("audio/aiff", hex: [0x46, 0x4F, 0x52, 0x4D, nil, nil, nil, nil, 0x41, 0x49, 0x46, 0x46]),
        .init("audio/midi", hex: [0x4D, 0x54, 0x68, 0x64, 0, 0, 0, 6]),
        .init("application/ogg", hex: [0x4F, 0x67, 0x67, 0x53, 0x00]),
        .init("video/x-msvideo", hex: Self.riff("AVI ")),
        .init("video/webm", hex: [0x1A, 0x45, 0xDF, 0xA3]),
        .init("video/mpeg", hex: [0, 0, 1, 0xBA]), .init("video/mpeg", hex: [0, 0, 1, 0xB3]),
        .init("application/pdf", "%PDF-"),
        .init("application/postscript", "%!PS-Adobe-"),
        .init("text/rtf", "{\\rtf"),
        .init("application/zip", hex: [0x50, 0x4B, 0x03, 0x04]), .init("application/zip", hex: [0x50, 0x4B, 0x05, 0x06]),
        .init("application/gzip", hex: [0x1F, 0x8B, 0x08]),
        .init("application/x-bzip", "BZh"),
        .init("application/x-xz", hex: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
        .init("application/x-7z-compressed", hex: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        .init("application/x-rar-compressed", hex: [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]),
        .init("application/zstd", hex: [0x28, 0xB5, 0x2F, 0xFD]),
        .init("application/x-tar", "ustar", at: 257),
        .init("application/x-ole-storage", hex: [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]),
        .init("application/x-sqlite3", "SQLite format 3\0"),
        .init("application/wasm", hex: [0x00, 0x61, 0x73, 0x6D]),
        .init("application/x-executable", hex: [0x7F, 0x45, 0x4C, 0x46]),
        .init("application/x-msdownload", hex: [0x4D, 0x5A, 0x90, 0x00]),
        .init("font/woff", "wOFF"), .init("font/woff2", "wOF2"), .init("font/otf", "OTTO"),
        .init("font/ttf", hex: [0, 1, 0, 0, 0]),
    ]

    private static func riff(_ kind: String) -> [UInt8?] {
        "RIFF".utf8.map { $0 } + [nil, nil, nil, nil] + kind.utf8.map { $0 }
    }

    /// A box of its own length, whose first word is `ftyp`.
    /// <https://mimesniff.spec.whatwg.org/#signature-for-mp4>
    private static func isMP4(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 12, bytes[4..<8].elementsEqual("ftyp".utf8) else { return false }
        let length = bytes[0..<4].reduce(0) { $0 << 8 | Int($1) }
        return length >= 12 && length % 4 == 0
    }

    /// What a browser would take for a page, or for XML: after a byte order mark and blanks, in letters of either case.
    /// <https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type>
    private static func markup(_ bytes: [UInt8]) -> String? {
        var rest = bytes[...]
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard rest.first == UInt8(ascii: "<") else { return nil }
        let text = String(decoding: rest.prefix(64), as: UTF8.self).lowercased()
        if text.hasPrefix("<?xml") { return Self.isSVG(rest) ? "image/svg+xml" : "text/xml" }
        if text.hasPrefix("<svg") { return "image/svg+xml" }
        let isPage = Self.tags.contains { tag in
            guard text.hasPrefix(tag) else { return false }
            let next = text.dropFirst(tag.count).first
            return tag.hasSuffix("--") || next == ">" || next?.isWhitespace == true
        }
        return isPage ? "text/html" : nil
    }

    private static func isSVG(_ bytes: ArraySlice<UInt8>) -> Bool {
        String(decoding: bytes, as: UTF8.self).lowercased().contains("<svg")
    }

    private static let tags = [
        "<!doctype html", "<html", "<head", "<script", "<iframe", "<h1", "<div", "<font", "<table", "<a", "<style", "<title",
        "<b", "<body",
        "<br", "<p", "<!--",
    ]
}
