import S3
import Testing

@Suite("URI encoding")
struct URIEncodingTests {
    @Test(
        "Everything but the unreserved characters is percent-encoded, byte by byte",
        arguments: [
            ("", ""),
            ("AZaz09-._~", "AZaz09-._~"),
            ("a b", "a%20b"),
            ("a+b", "a%2Bb"),
            ("100%.txt", "100%25.txt"),
            ("a%20b.txt", "a%2520b.txt"),
            ("a&b<c>.txt", "a%26b%3Cc%3E.txt"),
            ("q?x=1#y", "q%3Fx%3D1%23y"),
            ("ünï 文.txt", "%C3%BCn%C3%AF%20%E6%96%87.txt"),
            ("🦊", "%F0%9F%A6%8A"),
            ("!'()*", "%21%27%28%29%2A"),
            ("a\\b\"c`d|e^f", "a%5Cb%22c%60d%7Ce%5Ef"),
            ("tab\tnew\nline", "tab%09new%0Aline"),
            ("\u{0}\u{7F}", "%00%7F"),
        ]
    )
    func encodes(text: String, encoded: String) throws {
        #expect(URIEncoding.encode(text) == encoded)
        #expect(URIEncoding.encode(text, keepSlash: true) == encoded)
        #expect(URIEncoding.decodeText(encoded) == text)
    }

    @Test("A slash is kept in a path only, and nothing is normalised")
    func slashes() {
        #expect(URIEncoding.encode("//a/../b/./c/", keepSlash: true) == "//a/../b/./c/")
        #expect(URIEncoding.encode("a/b") == "a%2Fb")
    }

    @Test("Composed and decomposed letters stay what they are")
    func normalisation() {
        #expect(URIEncoding.encode("\u{E9}") == "%C3%A9")
        #expect(URIEncoding.encode("e\u{301}") == "e%CC%81")
    }

    @Test("Malformed escapes are refused", arguments: ["%", "%4", "a%zz", "%%41", "%4g", "é%E"])
    func malformed(text: String) {
        #expect(URIEncoding.decode(text) == nil)
    }

    @Test("Escapes that are not UTF-8 are bytes, but no text")
    func notText() {
        #expect(URIEncoding.decode("%FF%fe") == [0xFF, 0xFE])
        #expect(URIEncoding.decodeText("%FF%fe") == nil)
    }

    @Test("A query keeps its order, and a name without a value has an empty one")
    func queries() throws {
        let query = try #require(URIEncoding.parseQuery("uploads&b=1%262&a=x+y&c=d=e&empty="))
        #expect(query.map(\.name) == ["uploads", "b", "a", "c", "empty"])
        #expect(query.map(\.value) == ["", "1&2", "x y", "d=e", ""])
        #expect(URIEncoding.query(query) == "uploads=&b=1%262&a=x%20y&c=d%3De&empty=")
        #expect(URIEncoding.parseQuery("a=%") == nil)
        #expect(URIEncoding.parseQuery("")?.isEmpty == true)
    }
}
