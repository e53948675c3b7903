import Testing

@testable import S3FileService

@Suite struct LocatedJSONTests {
    private func fault(_ text: String, limits: LocatedJSON.Limits = .init()) -> String {
        do throws(JSONFault) {
            _ = try LocatedJSON(parsing: Array(text.utf8), limits: limits)
            return "none"
        } catch {
            return "\(error.place.line):\(error.place.column) \(error.message)"
        }
    }

    @Test func `a value knows where it stands, in characters and not in bytes`() throws {
        let json = try LocatedJSON(parsing: Array("{\n  \"ü\": \"é\", \"list\": [1,\n 2.50]}".utf8))
        guard case .object(let members) = json.value, case .list(let list) = members[1].value.value else {
            Issue.record("\(json)")
            return
        }
        #expect(members[0].name == "ü" && members[0].place == .init(line: 2, column: 3))
        #expect(members[1].place == .init(line: 2, column: 13))
        #expect(list[1].place == .init(line: 3, column: 2) && Array(list[1].source) == Array("2.50".utf8))
    }

    @Test func `escapes are decoded, surrogate pairs too`() throws {
        let json = try LocatedJSON(parsing: Array(#""a\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00""#.utf8))
        guard case .text(let text) = json.value else {
            Issue.record("\(json)")
            return
        }
        #expect(text == "a\"\\/\u{8}\u{c}\n\r\tü😀")
    }

    @Test(arguments: [
        ("", "1:1 the text ends where a value is expected"), ("{", "1:2 a member's name in quotation marks is expected here"),
        (#"{"a" 1}"#, "1:6 a colon is expected here"), (#"{"a": 1,}"#, "1:9 a member's name in quotation marks is expected here"),
        (#"{"a": 1 "b"}"#, "1:9 a comma or } is expected here"), ("[1 2]", "1:4 a comma or ] is expected here"),
        ("[1,]", "1:4 a value is expected here"), ("nul", "1:1 a value is expected here"),
        ("01", "1:2 there is something after the end"),
        ("1.", "1:3 a digit is expected here"), ("-", "1:2 a digit is expected here"),
        ("1e999", "1:6 the number is too long or too large"),
        ("{}\n{}", "2:1 there is something after the end"), (#"{"a": 1,"# + "\n" + #" "a": 2}"#, #"2:2 "a" is there twice"#),
        (#"{"a": 1, "\u0061": 2}"#, #"1:10 "a" is there twice"#), (#""a"#, "1:3 the text ends before a closing quotation mark"),
        ("\"a\nb\"", "1:3 a control character must be escaped in a text"), (#""\x""#, "1:2 there is no such escape"),
        (#""\u12""#, #"1:2 four hexadecimal digits are expected after \u"#), (#""\u0000""#, "1:2 U+0000 cannot be kept"),
        (#""\ud83d""#, "1:2 half of a surrogate pair is missing"), (#""\ude00""#, "1:2 half of a surrogate pair is missing"),
        (#""\ud83d\u0041""#, "1:2 half of a surrogate pair is missing"),
        (#""\u+123""#, #"1:2 four hexadecimal digits are expected after \u"#),
        ("NaN", "1:1 a value is expected here"), ("\u{FEFF}1", "1:1 a value is expected here"),
    ])
    func `what is no JSON is refused where it begins to be none`(_ text: String, _ expected: String) {
        #expect(self.fault(text) == expected)
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONFault.self) { try LocatedJSON(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `depth and number of values are bounded, whatever the text`() {
        #expect(self.fault(String(repeating: "[", count: 100_000)) == "1:33 it is nested more than 32 deep")
        let many = "[" + String(repeating: "0,", count: 20_000) + "0]"
        #expect(self.fault(many).hasSuffix("the text has more than 10000 values"))
    }

    @Test func `a whole number may be spelled in any way, and nothing else is one`() throws {
        for (text, expected) in [("1", 1), ("-0", 0), ("1.0", 1), ("1e3", 1_000), ("9007199254740993", 9_007_199_254_740_993)]
            as [(String, Int64)]
        {
            #expect(try LocatedJSON(parsing: Array(text.utf8)).integer == expected, "\(text)")
        }
        for text in ["1.5", "1e30", "\"1\"", "true", "null", "99999999999999999999"] {
            #expect(try LocatedJSON(parsing: Array(text.utf8)).integer == nil, "\(text)")
        }
    }
}
