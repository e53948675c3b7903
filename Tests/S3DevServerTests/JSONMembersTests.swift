import Testing

@testable import S3DevServer

@Suite struct JSONMembersTests {
    @Test(arguments: [
        "{}", "[]", "1", #""a""#, #"{"a": 1, "b": 2}"#, #"{"a": {"a": {"a": 1}}}"#, #"[{"a": 1}, {"a": 2}]"#,
        #"{"a": ["b", "b"], "b": "b"}"#,
        #"{"a\"": 1, "a": 2, "a\\": 3}"#, #"{"a": "{\"a\": 1, \"a\": 2}"}"#, #"{"": 1, " ": 2}"#,
        "{\"\u{FC}\": 1, \"u\u{308}\": 2}",
    ])
    func `names that differ, or are of different objects, are fine`(json: String) {
        #expect(JSONMembers.areUnique(in: json.utf8))
    }

    @Test(arguments: [
        #"{"a": 1, "a": 2}"#, #"{"a": 1, "\u0061": 2}"#, #"{"a\"": 1, "a\u0022": 2}"#, #"[1, {"b": {"c": [], "d": {}, "c": 1}}]"#,
        #"{"a": {"x": 1}, "b": [{"a": 1}], "a": 1}"#, #"{"": 1, "": 2}"#, #"{"a" : "a" , "a" : "a"}"#,
    ])
    func `a name that comes twice is noticed, however it is spelled`(json: String) {
        #expect(!JSONMembers.areUnique(in: json.utf8))
    }

    @Test(arguments: ["", "{", "[", #"""#, #"{"a"#, #"{"a\"#, "}}}]", "{,,}", #"{"a": "#])
    func `what is no JSON ends somewhere`(json: String) {
        #expect(JSONMembers.areUnique(in: json.utf8))
    }
}
