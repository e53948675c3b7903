import Testing

@testable import S3File

@Suite struct ContentTypeTests {
    private static func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

    @Test(arguments: [
        // What is declared and told alike stays as it was declared, parameters and all.
        ("\u{89}PNG\r\n\u{1A}\n", "image/png", "image/png"), ("GIF89a", "IMAGE/GIF", "IMAGE/GIF"),
        ("\u{FF}\u{D8}\u{FF}\u{E0}", "image/jpg", "image/jpg"),
        ("hello", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        // Formats that build upon another.
        ("PK\u{3}\u{4}", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ""),
        ("PK\u{3}\u{4}", "application/epub+zip", ""), ("\0\0\0\u{18}ftypmp42\0\0\0\0", "video/quicktime", ""),
        ("<?xml version='1.0'?><rss>", "application/rss+xml", ""), ("<b>bold</b> words", "text/plain", ""),
        ("a,b\n1,2", "text/csv", ""),
        ("\u{D0}\u{CF}\u{11}\u{E0}\u{A1}\u{B1}\u{1A}\u{E1}", "application/msword", ""),
        // The bytes know better.
        ("<!DOCTYPE HTML><script>", "image/png", "text/html"), ("\u{EF}\u{BB}\u{BF} \n<ScRiPt>", "image/jpeg", "text/html"),
        ("<svg onload=x>", "image/png", "image/svg+xml"), ("<?xml?><SVG>", "image/png", "image/svg+xml"),
        ("%PDF-1.4", "application/octet-stream", "application/pdf"), ("\u{7F}ELF", "image/png", "application/x-executable"),
        ("MZ\u{90}\0", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/x-msdownload"),
        ("RIFF1234WEBP", "image/png", "image/webp"), ("RIFF1234WAVE", "image/webp", "audio/wav"),
        // What only looks like another format.
        ("BMW,320d\n", "text/csv", ""), ("OTTO;1", "text/plain", ""), ("\n%PDF-1.4", "application/pdf", ""),
        ("{\\rtf1", "application/msword", ""),
        ("\0\0\0\u{18}ftypM4A \0\0\0\0", "audio/m4a", ""), ("ID3\u{3}", "audio/flac", ""),
        // What is no type at all, though a browser might find one in it.
        ("x<script>", "video/x,text/html", "application/octet-stream"), ("x", "video/mp4,", "application/octet-stream"),
        ("x", "text", "application/octet-stream"), ("GIF89a", "a b/c", "image/gif"),
        // Nothing can be told.
        ("\0\u{1}\u{2}", "image/png", "application/octet-stream"), ("\0\u{1}\u{2}", "text/plain", "application/octet-stream"),
        ("\0\u{1}\u{2}", "application/x-own", ""), ("", "image/png", ""), ("<blink>", "image/png", "application/octet-stream"),
        ("%PDF", "application/pdf", "application/octet-stream"), ("RIFF", "application/x-own", ""),
    ])
    func `a type is what the bytes tell`(bytes: String, declared: String, told: String) {
        #expect(ContentType.told(by: Self.bytes(bytes), declared: declared) == (told.isEmpty ? declared : told))
    }

    @Test func `a signature that is cut off anywhere tells nothing, and nothing breaks`() {
        let samples = ["\u{89}PNG\r\n\u{1A}\n", "RIFF1234WEBP", "\0\0\0\u{18}ftypmp42", "<!doctype html>", "%PDF-1.7", "8BPS"]
        for sample in samples {
            let bytes = Self.bytes(sample)
            #expect(ContentSignature.type(of: bytes) != nil)
            for length in 0..<5 { #expect(ContentSignature.type(of: Array(bytes.prefix(min(length, bytes.count - 1)))) == nil) }
        }
    }

    @Test(arguments: [
        (".pdf", "application/pdf", "%PDF-1.7", "a.pdf", true), (".pdf", "application/pdf", "<html>", "a.pdf", false),
        (".png", "image/png", "\u{89}PNG\r\n\u{1A}\n", "a.png", true),
        (".docx", "application/zip", "PK\u{3}\u{4}", "a.docx", true),
        (".docx", "application/x-msdownload", "MZ\u{90}\0", "a.docx", false), (".xyz", "text/html", "<html>", "a.xyz", true),
        (".txt", "text/plain", "<b>", "a.txt", true), ("image/*", "text/html", "<html>", "a.png", false),
        ("image/png", "image/png", "", "a.png", true), ("image/", "image/png", "", "a", false),
        ("*", "image/png", "", "a", false),
        (".", "image/png", "", "a.", false), ("image/*,x", "image/png", "", "a", false),
    ])
    func `an accept list looks at the bytes, too`(entry: String, type: String, bytes: String, filename: String, accepts: Bool) {
        #expect(AcceptedType.list([entry], accepts: type, bytes: Self.bytes(bytes), filename: filename) == accepts)
    }
}
