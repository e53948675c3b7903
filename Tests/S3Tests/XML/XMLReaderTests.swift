import S3
import Testing

@Suite("XML")
struct XMLReaderTests {
    func code(_ document: String, limits: XMLReader.Limits = XMLReader.Limits()) -> XMLError.Code? {
        do {
            _ = try XMLReader.read(document, limits: limits)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("An answer of S3 becomes a tree")
    func tree() throws {
        let root = try XMLReader.read(
            """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment -->
            <s3:List xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" b='&lt;2&gt;'>
              <Contents><Key>a&amp;b&lt;c&gt;&quot;&apos;.txt</Key><ETag>&#34;x&#x22;</ETag><Empty/><Empty></Empty></Contents>
              <Contents ><Key>ünï 文 🦊&#x1F98A;</Key ></Contents>
              <Raw><![CDATA[<not> &an; element]] >]]>after</Raw>
            </s3:List>
            <!-- the end -->
            """
        )
        #expect(root.name == "List")
        #expect(root.attributes.map(\.value) == ["http://s3.amazonaws.com/doc/2006-03-01/", "<2>"])
        #expect(root.all("Contents").count == 2)
        #expect(root["Contents"]?["Key"]?.text == "a&b<c>\"'.txt")
        #expect(root["Contents"]?["ETag"]?.text == "\"x\"")
        #expect(root["Contents"]?.all("Empty").map(\.text) == ["", ""])
        #expect(root.children[1]["Key"]?.text == "ünï 文 🦊🦊")
        #expect(root["Raw"]?.text == "<not> &an; element]] >after")
        #expect(root["None"] == nil)
    }

    @Test("Line ends become line feeds, and escaped ones stay")
    func lineEnds() throws {
        #expect(try XMLReader.read("<a>1\r\n2\r3\n4&#13;&#xd;</a>").text == "1\n2\n3\n4\r\r")
    }

    @Test(
        "Document types, processing instructions, other entities and encodings are refused",
        arguments: [
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
            "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">]><lolz>&lol;</lolz>",
            "<a><!ENTITY x \"y\"></a>",
            "<a>&x;</a>",
            "<a>&nbsp;</a>",
            "<a b=\"&x;\"/>",
            "<?xml-stylesheet href=\"x\"?><a/>",
            "<a><?php evil() ?></a>",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
            "<?xml version=\"1.0\" encoding='UTF-16'?><a/>", "<?xml?><a/>",
        ]
    )
    func forbidden(document: String) {
        #expect(self.code(document) == .forbidden)
    }

    @Test(
        "What is not well-formed is refused",
        arguments: [
            "", " ", "text", "<", "<>", "<a", "<a>", "<a><b></a></b>", "<a></b>", "<a></a", "<a/><b/>", "<a/>text", "<a b></a>",
            "<a b=c/>",
            "<a b=\"<\"/>", "<a b=\"1\"c=\"2\"/>", "<a b='1' b='2'/>", "<1/>", "<-a/>", "<a:/>", "<:a/>", "<a:1/>", "<a:b:c/>",
            "< a/>", "<a>&</a>", "<a>&amp</a>",
            "<a>&#0;</a>",
            "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#+65;</a>", "<a>&#;</a>", "<a>&#x;</a>", "<a>\u{1}</a>", "<a>]]></a>",
            "<a><!-- -- --></a>", "<a><!--", "<a><![CDATA[x</a>", "<a>\u{0}</a>", "</a>", "<a/", "<a><b/>",
            "<?xml version='1.0' Encoding='UTF-16'?><a/>", "<?xml version='1.0' encoding='UTF-8' encoding='UTF-16'?><a/>",
            "<?xml version='1.0' encoding=UTF-8?><a/>", "<?xml version='1.0'><a/>", "<?xml version='1.0'/><a/>", "<a b='c'?></a>",
        ]
    )
    func malformed(document: String) {
        #expect(self.code(document) == .malformed)
    }

    @Test("Every truncation of a document is refused")
    func truncated() throws {
        let document = "<?xml version='1.0'?><a b='c'><d>e&amp;</d><!-- f --><![CDATA[g]]><h/></a>"
        _ = try XMLReader.read(document)
        for length in 0..<document.utf8.count {
            #expect(throws: XMLError.self) { try XMLReader.read(document.utf8.prefix(length)) }
        }
    }

    @Test("Bytes that are not UTF-8 are refused")
    func notUTF8() {
        #expect(throws: XMLError.self) { try XMLReader.read(Array("<a>".utf8) + [0xFF] + Array("</a>".utf8)) }
    }

    @Test("Size, depth, elements and attributes are bounded")
    func bombs() {
        #expect(self.code("<a>" + String(repeating: "x", count: 2000) + "</a>", limits: .init(bytes: 1000)) == .tooLarge)
        let deep = String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)
        #expect(self.code(deep) == .tooLarge)
        #expect(self.code(String(deep.dropFirst(3).dropLast(4))) == nil)
        #expect(self.code(String(repeating: "<a>", count: 100_000)) == .tooLarge)
        #expect(self.code("<a>" + String(repeating: "<b/>", count: 100) + "</a>", limits: .init(elements: 100)) == .tooLarge)
        let attributes = (0..<33).map { " a\($0)=''" }.joined()
        #expect(self.code("<a\(attributes)/>") == .tooLarge)
        #expect(self.code("<\(String(repeating: "a", count: 257))/>") == .tooLarge)
    }

    @Test("What the writer writes the reader reads, whatever the text")
    func roundTrip() throws {
        let text =
            (1...0xFF).compactMap(Unicode.Scalar.init).reduce(into: "") { $0.unicodeScalars.append($1) } + "文🦊\u{FFFE}e\u{301}]]>"
        var writer = XMLWriter()
        writer.element("a", attributes: [("b", text)]) { writer in
            writer.element("c", text: text)
            writer.element("d", text: "")
        }
        let root = try XMLReader.read(writer.text)
        #expect(root.attributes.first.map { Array($0.value.utf8) } == Array(text.utf8))
        #expect(root["c"].map { Array($0.text.utf8) } == Array(text.utf8))
        #expect(root["d"]?.text == "")
        #expect(XMLWriter.escape("a&b<c>\"'") == "a&amp;b&lt;c&gt;&quot;&apos;")
    }
}
