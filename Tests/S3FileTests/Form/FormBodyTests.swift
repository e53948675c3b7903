import NIOCore
import S3File
import Testing

@Suite("The fields of a posted form")
struct FormBodyTests {
    static let urlEncoded = "application/x-www-form-urlencoded"
    static let multipart = "multipart/form-data; boundary=frontier"

    func fields(_ body: String, _ contentType: String = Self.urlEncoded, limits: FormBody.Limits = .init()) throws -> [[String]] {
        try FormBody.parse(ByteBuffer(string: body), contentType: contentType, limits: limits).fields.map { [$0.name, $0.value] }
    }

    func code(_ body: ByteBuffer, _ contentType: String = Self.urlEncoded, limits: FormBody.Limits = .init()) -> FormBodyError
        .Code?
    {
        do throws(FormBodyError) {
            _ = try FormBody.parse(body, contentType: contentType, limits: limits)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("repeated names keep their order among the others")
    func order() throws {
        #expect(try self.fields("b=1&a=2&b=3&c") == [["b", "1"], ["a", "2"], ["b", "3"], ["c", ""]])
        let form = try FormBody.parse(ByteBuffer(string: "b=1&a=2&b=3"), contentType: Self.urlEncoded)
        #expect(form.values(named: "b") == ["1", "3"])
        #expect(form["b"] == "1")
        #expect(form["d"] == nil)
    }

    @Test(
        "percent escapes and plus signs decode exactly once",
        arguments: [
            ("a=1+1", "1 1"), ("a=1%2B1", "1+1"), ("a=a%2520b", "a%20b"), ("a=100%25.txt", "100%.txt"), ("a=b=c", "b=c"),
            ("a=%C3%BCn%c3%af+%E6%96%87", "ünï 文"), ("a=%00", "\0"), ("&&a=x&", "x"),
        ]
    )
    func decoding(body: String, value: String) throws {
        #expect(try self.fields(body) == [["a", value]])
    }

    @Test("a composed and a decomposed letter stay different bytes")
    func normalisation() throws {
        let values = try self.fields("a=%C3%BC&a=u%CC%88").map { Array($0[1].utf8) }
        #expect(values == [[0xC3, 0xBC], [0x75, 0xCC, 0x88]])
    }

    @Test(
        "a bad escape or bad UTF-8 is refused, not repaired",
        arguments: ["a=%", "a=%2", "a=%zz", "a=%2g", "%=1", "a=%FF", "%C3=1", "a=%ED%A0%80"]
    )
    func malformed(body: String) {
        #expect(self.code(ByteBuffer(string: body)) == .malformed)
    }

    @Test("raw bytes that are not UTF-8 are refused in both encodings")
    func rawBytes() {
        #expect(self.code(ByteBuffer(bytes: Array("a=".utf8) + [0xFF])) == .malformed)
        let head = Array("--frontier\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".utf8)
        #expect(self.code(ByteBuffer(bytes: head + [0xFF] + Array("\r\n--frontier--\r\n".utf8)), Self.multipart) == .malformed)
    }

    @Test("body, number of fields and name length are bounded, and the bound itself is allowed")
    func bounds() throws {
        let limits = FormBody.Limits(bytes: 12, fields: 2, nameBytes: 4)
        #expect(try self.fields("name=567&b=2", limits: limits).count == 2)
        #expect(self.code(ByteBuffer(string: "name=5678&b=2"), limits: limits) == .tooLarge)
        #expect(self.code(ByteBuffer(string: "a=1&b=2&c=3"), limits: limits) == .tooLarge)
        #expect(self.code(ByteBuffer(string: "names=5"), limits: limits) == .tooLarge)
        let part = "--frontier\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
        let three = ByteBuffer(string: part + part + part + "--frontier--\r\n")
        #expect(self.code(three, Self.multipart, limits: .init(fields: 2)) == .tooLarge)
        #expect(self.code(three, Self.multipart, limits: .init(fields: 3)) == nil)
        #expect(self.code(three, Self.multipart, limits: .init(bytes: three.readableBytes - 1)) == .tooLarge)
    }

    @Test("multipart text fields are read in order, and an untouched file input is not a file")
    func multipartFields() throws {
        let body = """
            --frontier\r
            Content-Disposition: form-data; name="b"\r
            \r
            ünï 100%\r
            --frontier\r
            Content-Disposition: form-data; name="avatar"; filename=""\r
            Content-Type: application/octet-stream\r
            \r
            \r
            --frontier\r
            Content-Disposition: form-data; name="a"\r
            \r
            \r
            --frontier--\r

            """
        let form = try FormBody.parse(ByteBuffer(string: body), contentType: Self.multipart)
        #expect(form.fields.map { [$0.name, $0.value] } == [["b", "ünï 100%"], ["a", ""]])
        #expect(form.fileParts.isEmpty)
    }

    @Test("a file in the body is reported by name, also when it is empty")
    func fileParts() throws {
        let body = """
            --frontier\r
            Content-Disposition: form-data; name="avatar"; filename="a.png"\r
            \r
            \u{1}\u{2}\r
            --frontier\r
            Content-Disposition: form-data; name="documents"; filename="empty.txt"\r
            \r
            \r
            --frontier--\r

            """
        let form = try FormBody.parse(ByteBuffer(string: body), contentType: Self.multipart)
        #expect(form.fields.isEmpty)
        #expect(form.fileParts.map(\.name) == ["avatar", "documents"])
        #expect(form.fileParts.map(\.filename) == ["a.png", "empty.txt"])
    }

    @Test(
        "a truncated or nameless multipart body is malformed",
        arguments: [
            "", "--frontier", "--frontier\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
            "--frontier\r\nX: y\r\n\r\n1\r\n--frontier--",
        ]
    )
    func brokenMultipart(body: String) {
        #expect(self.code(ByteBuffer(string: body), Self.multipart) == .malformed)
    }

    @Test("only the two content types of forms are read")
    func contentTypes() {
        #expect(FormBody.canParse(contentType: "application/x-www-form-urlencoded; charset=UTF-8"))
        #expect(FormBody.canParse(contentType: "Multipart/Form-Data; boundary=x"))
        #expect(!FormBody.canParse(contentType: "application/json"))
        #expect(!FormBody.canParse(contentType: "text/plain"))
        #expect(self.code(ByteBuffer(string: "{}"), "application/json") == .unsupported)
        #expect(self.code(ByteBuffer(string: "x"), "multipart/form-data") == .malformed)
    }
}
