import Foundation
import S3File
@testable import S3FileHTTP
import Testing

@Suite struct WordingTests {
    @Test(arguments: [
        (0, "0"), (7, "7"), (999, "999"), (1_000, "1,000"), (1_204_000, "1,204,000"), (-12_345, "−12,345"),
        (Int.max, "9,223,372,036,854,775,807"),
    ])
    func `numbers have their thousands apart`(number: Int, text: String) {
        #expect(Wording.number(number) == text)
    }

    @Test(arguments: [
        (-1, "0 ms"), (0.34, "340 ms"), (1, "1 s"), (4.26, "4.2 s"), (42.9, "42 s"), (180, "3 min"), (192, "3 min 12 s"),
        (18_240, "5 h 4 min"), (183_600, "2 d 3 h"), (.infinity, "for ever"), (.nan, "for ever"), (1e300, "for ever"),
    ])
    func `durations are told in the two units that matter`(seconds: Double, text: String) {
        #expect(Wording.duration(seconds) == text)
    }

    @Test func `a time is told by its age, and in full for programs and for who points at it`() {
        let date = Date(timeIntervalSince1970: 1_795_870_931)
        let now = date.addingTimeInterval(192)
        #expect(
            Wording.ago(date, now: now).text
                == #"<time datetime="2026-11-28T13:02:11Z" title="2026-11-28 13:02:11 UTC">3 min 12 s ago</time>"#
        )
        #expect(Wording.ago(now, now: date).text.contains(">in 3 min 12 s<"))
        #expect(Wording.clock(date) == "13:02:11")
    }

    @Test func `a value of a query is escaped wherever it might mean something`() {
        #expect(Wording.query("Ä&=?#/ a") == "%C3%84%26%3D%3F%23%2F%20a")
        #expect(Wording.query("Az09-._~") == "Az09-._~")
    }

    @Test func `what is put into HTML is escaped, and HTML is not`() {
        let name = "<img src=x onerror='alert(1)'> & \"co\""
        let html: HTML = "<p title=\"\(name)\">\(name)\("<b>bold</b>" as HTML)\(12)</p>"
        let escaped = "&lt;img src=x onerror=&#39;alert(1)&#39;&gt; &amp; &quot;co&quot;"
        #expect(html.text == "<p title=\"\(escaped)\">\(escaped)<b>bold</b>12</p>")
    }
}
