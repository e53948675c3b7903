import Foundation
@testable import S3File
import Testing

@Suite struct UploadFieldTests {
    private let date = Date(timeIntervalSince1970: 1_700_000_000)  // 2023-11-14 22:13:20 UTC
    private let id = UUID()

    private func folder(_ uploadTo: UploadTo, owner: String? = "user-42") -> String {
        uploadTo.folder(for: .init(id: self.id, field: "avatar", owner: owner, filename: "x.png", date: self.date))
    }

    @Test func `a pattern is filled in with the date in UTC, the id, the owner and the field`() {
        #expect(self.folder("a/%Y/%y/%m/%d/%H/%M/%S/%j/100%%/") == "a/2023/23/11/14/22/13/20/318/100%")
        #expect(self.folder("{owner}/{field}/{upload.id}") == "user-42/avatar/\(self.id.uuidString.lowercased())")
    }

    @Test func `an owner cannot climb out of its folder`() {
        #expect(self.folder("files/{owner}", owner: "../../etc") == "files/etc")
        #expect(self.folder("files/{owner}", owner: "..") == "files/file")
        #expect(self.folder("files/{owner}", owner: nil) == "files/anonymous")
    }

    @Test(arguments: ["%Q", "x/%", "{nobody}", "{upload.id"])
    func `a pattern that means nothing is named`(pattern: String) {
        #expect(UploadTo.problem(in: pattern) != nil)
    }

    @Test func `a closure decides the folder`() {
        #expect(self.folder(UploadTo { "by/\($0.filename.count)/" }) == "by/5")
    }

    @Test(arguments: [
        (AcceptedType.image, "image/png", "a", true), (.image, "IMAGE/PNG", "a", true), (.image, "image/", "a", false),
        (.image, "text/html", "a.png", false), (.pdf, "application/pdf; x=1", "a", true), (.pdf, "application/pdfx", "a", false),
        (.fileExtension(".pdf"), "x/y", "Report.PDF", true), (.fileExtension(".pdf"), "application/pdf", "report", false),
        (.fileExtension(".pdf"), "application/pdf", ".pdf", false), (.type("image/*"), "image/webp", "", true),
    ])
    func `an accepted type matches what it says and no more`(type: AcceptedType, contentType: String, name: String, matches: Bool)
    {
        #expect(type.matches(contentType: contentType, filename: name) == matches)
    }

    @Test func `the policy carries what S3 can enforce of an accept list`() {
        #expect(AcceptedType.policyCondition(for: [.pdf]) == .exact("application/pdf"))
        #expect(AcceptedType.policyCondition(for: [.image]) == .startsWith("image/"))
        #expect(AcceptedType.policyCondition(for: [.image, .pdf]) == .startsWith(""))
        #expect(AcceptedType.policyCondition(for: [.fileExtension(".pdf")]) == .startsWith(""))
        #expect(AcceptedType.policyCondition(for: []) == .startsWith(""))
    }

    @Test func `sizes are said as people say them`() {
        #expect(ByteCount.bytes(1).description == "1 byte")
        #expect(ByteCount.bytes(999).description == "999 bytes")
        #expect(ByteCount.bytes(2_100_000_000).description == "2.1 GB")
        #expect(ByteCount.megabytes(20).description == "20 MB")
        #expect(ByteCount.bytes(999_999).description == "999 kB")
    }

    @Test(arguments: [
        ("report.pdf", "report.pdf"), ("100%.txt", "100.txt"), ("a%20b.txt", "a20b.txt"), ("a&b<c>.txt", "abc.txt"),
        ("ünï 文.txt", "ünï_文.txt"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.doc", "y.doc"), ("..", "file"), ("", "file"),
        ("%%%", "file"), ("a\u{0}b", "ab"),
    ])
    func `a stored file's name follows Django's rules`(name: String, stored: String) {
        #expect(Filename.sanitised(name) == stored)
    }

    @Test func `a long name is cut, and keeps its extension`() {
        let name = Filename.sanitised(String(repeating: "文", count: 300) + ".tar.gz")
        #expect(name.utf8.count <= 200 && name.hasSuffix("文.gz"))
    }
}
