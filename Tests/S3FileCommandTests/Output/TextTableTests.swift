import Foundation
import Testing

@testable import S3FileCommand

@Suite struct TextTableTests {
    @Test func `columns are as wide as their widest cell, and lines have no trailing spaces`() {
        var table = TextTable([("name", .left), ("size", .right), ("note", .left)])
        table.add(["a", "1", ""])
        table.add(["longer name", "1000", "x"])
        #expect(table.lines() == ["name         size  note", "a               1", "longer name  1000  x"])
        #expect(table.lines(withHeader: false).count == 2)
    }

    @Test func `a file name cannot move the cursor or turn the text`() {
        #expect(TextTable.printable("a\u{1B}[2Jb\n\u{202E}gpj.exe") == "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}gpj.exe")
    }

    @Test func `JSON has moments in RFC 3339 with milliseconds`() throws {
        struct Answer: Encodable {
            var at: Date
            var path: String
        }
        let data = try JSON.encode(Answer(at: Date(timeIntervalSince1970: 0.25), path: "a/b"))
        #expect(String(decoding: data, as: UTF8.self) == #"{"at":"1970-01-01T00:00:00.250Z","path":"a/b"}"#)
    }
}
