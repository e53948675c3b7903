@testable import S3File
@testable import S3FileHTTP
import Testing

@Suite struct LastEventIDTests {
    private let id = LastEventID(
        position: 4711,
        told: [.init(status: .stored, attempt: 1), .init(status: .moving, attempt: 12), nil, .init(status: .queued, attempt: 0)]
    )

    @Test func `it is read as it was written`() {
        #expect(self.id.text == "4711~s1.m12.-.q0")
        #expect(LastEventID(self.id.text, count: 4) == self.id)
        for status in UploadStatus.allCases {
            let id = LastEventID(position: 0, told: [.init(status: status, attempt: 32_767)])
            #expect(LastEventID(id.text, count: 1) == id)
        }
    }

    @Test func `that of a hundred uploads is within the bound`() {
        let told = LastEventID.Told(status: .moving, attempt: 32_767)
        let id = LastEventID(position: .max, told: Array(repeating: told, count: AskedUploads.most))
        #expect(id.text.utf8.count <= LastEventID.mostBytes)
        #expect(LastEventID(id.text, count: AskedUploads.most) == id)
    }

    @Test(arguments: [
        "", "~", "1", "1~", "-1~s1", "1~s", "1~x1", "1~s-1", "1~s1.", "1~s1.s1", "1~s99999", "1~s1~s1", "9223372036854775808~s1",
        "1~ s1",
    ])
    func `what is none of ours is as none`(text: String) {
        #expect(LastEventID(text, count: 1) == nil)
    }

    @Test func `nor is one that has no end`() {
        for text in [String(repeating: "9", count: 1_000_000), "1~" + String(repeating: "s1.", count: 100_000)] {
            #expect(LastEventID(text, count: 1) == nil, "\(text.prefix(10))")
        }
    }
}
