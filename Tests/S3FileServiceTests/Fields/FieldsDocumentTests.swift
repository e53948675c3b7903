import Foundation
import S3File
import Testing

@testable import S3FileService

@Suite struct FieldsDocumentTests {
    private func read(_ text: String) throws -> [UploadField] {
        try FieldsDocument(Array(text.utf8), file: "fields.json", tmpPrefix: "tmp/s3file").fields
    }

    private func complaint(_ text: String) -> String {
        do {
            _ = try self.read(text)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    /// A field with this in place of, or beside, what it needs.
    private func field(_ members: String) -> String {
        var text = ""
        for (name, usual) in [("name", #""report""#), ("uploadTo", #""reports/""#), ("maximumSize", #""20 MB""#)]
        where !members.contains("\"\(name)\":") {
            text += "\"\(name)\": \(usual), "
        }
        return "{\"fields\": [\n  {\(text)\(members)}\n]}"
    }

    @Test func `a field may say all that a field of a Swift app may`() throws {
        let fields = try self.read(
            """
            {"fields": [
              {"name": "film", "uploadTo": "films/%Y/{owner}/", "accept": ["video/*", "application/pdf", ".MOV"], "maximumSize": "1.5 TB",
               "maximumCount": 4, "required": true, "options": ["immediate", "dropZone"], "resumable": {"above": "100 MB"},
               "storage": {"cacheControl": "private", "contentDisposition": "attachment", "storageClass": "STANDARD_IA",
                           "encryption": "aws:kms", "kmsKeyId": "key-1", "acl": "private", "metadata": {"team": "a"}, "tags": {"kind": "film x"}}},
              {"name": "plain", "uploadTo": "", "maximumSize": 12},
              {"name": "huge", "uploadTo": "huge", "maximumSize": 6000000000, "resumable": "whenNeeded"}
            ]}
            """
        )
        #expect(fields.map(\.name) == ["film", "plain", "huge"])
        #expect(fields[0].acceptAttribute == "video/*,application/pdf,.mov")
        #expect(fields[0].maximumSize == .gigabytes(1_500) && fields[0].maximumCount == 4 && fields[0].required)
        #expect(fields[0].options == [.immediate, .dropZone] && fields[0].resumable == .above(.megabytes(100)))
        #expect(
            fields[0].storage
                == StorageSettings(
                    cacheControl: "private",
                    contentDisposition: "attachment",
                    storageClass: "STANDARD_IA",
                    encryption: .kms(keyID: "key-1"),
                    acl: "private",
                    metadata: ["team": "a"],
                    tags: ["kind": "film x"]
                )
        )
        #expect(
            fields[1].maximumSize == .bytes(12) && fields[1].maximumCount == 1 && !fields[1].required
                && fields[1].resumable == nil
        )
        #expect(fields[2].resumable == .whenNeeded)
    }

    @Test func `the example's fields can be read`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let content = try Data(contentsOf: root.appending(path: "Examples/Django/fields.json"))
        #expect(try FieldsDocument(content, file: "fields.json", tmpPrefix: "tmp/s3file").fields.map(\.name) == ["report"])
    }

    @Test(arguments: [
        (#""maximumSize": "20 XB""#, "maximumSize: it is no size"),
        (#""maximumSize": -1"#, "maximumSize: it must be 1 byte to 5 GB"),
        (#""maximumSize": "0.5 bytes""#, "maximumSize: it is no size"),
        (#""maximumSize": "6 GB""#, #"add "resumable": "whenNeeded" for more"#),
        (#""maximumSize": "54 TB", "resumable": "whenNeeded""#, "maximumSize: it must be 1 byte to 53.6 TB"),
        (#""maximumSize": "999999 TB", "resumable": "whenNeeded""#, "maximumSize: it must be 1 byte to 53.6 TB"),
        (#""maximumCount": 0"#, "maximumCount: it must be a whole number from 1 to 100"),
        (#""maximumCount": 1.5"#, "maximumCount: it must be a whole number"),
        (#""required": "yes""#, "required: it must be true or false"),
        (#""name": "s3file""#, "cannot be a field's name"), (#""name": "a b""#, "cannot be a field's name"),
        (#""name": 1"#, "name: it must be a text"),
        (#""uploadTo": "%Q/""#, "unknown % directive"), (#""uploadTo": "{user}/""#, "unknown {name}"),
        (#""uploadTo": "../private/""#, "is no folder for files"), (#""uploadTo": "a//b""#, "is no folder for files"),
        (#""uploadTo": "/a""#, "is no folder for files"), (#""uploadTo": "tmp/s3file/x""#, "not below tmp/s3file"),
        (#""accept": ["pdf"]"#, "accept[0]: \"pdf\" is neither a type nor an extension"),
        (#""accept": "image/*""#, "accept: it must be a list"),
        (#""accept": [\#(String(repeating: "\".a\",", count: 16))".a"]"#, "accept: it must have 0 to 16 entries, and has 17"),
        (#""options": ["lazy"]"#, "options[0]: it is no option; write immediate or dropZone"),
        (#""resumable": true"#, #"resumable: it must be "whenNeeded", or an object"#),
        (#""resumable": {}"#, "resumable.above: it is missing"),
        (#""resumable": {"above": "6 GB"}"#, "resumable.above: it must be 0 to 5 GB"),
        (#""resumable": {"over": 1}"#, #""over" is not known"#),
        (#""storage": {"encryption": "rot13"}"#, "storage.encryption: it must be AES256 or aws:kms"),
        (#""storage": {"kmsKeyId": "k"}"#, "storage.kmsKeyId: it says nothing without"),
        (#""storage": {"cacheControl": "a\u000ab"}"#, "storage.cacheControl: it must be printable ASCII"),
        (#""storage": {"metadata": {"Team": "a"}}"#, #""Team" is no name for it"#),
        (#""storage": {"metadata": {"a": 1}}"#, "storage.metadata.a: it must be a text"),
        (#""storage": {"tags": {"a%": "b"}}"#, #""a%" cannot be a tag"#),
        (#""storage": {"cache": "x"}"#, #""cache" is not known"#),
        (#""maxSize": 12"#, #""maxSize" is not known; it may have name, uploadTo, accept"#),
    ])
    func `what is out of bounds, or unknown, is refused on its line`(_ members: String, _ expected: String) {
        let complaint = self.complaint(self.field(members))
        #expect(complaint.contains(expected), "\(complaint)")
        #expect(complaint.hasPrefix("fields.json:2:"), "\(complaint)")
    }

    @Test func `the place is that of the value, and all that is wrong is told at once`() {
        let complaint = self.complaint(
            """
            {"fields": [
              {"name": "a", "uploadTo": "a/", "maximumSize": "20 XB"},
              {"name": "b", "uploadTo": "b/"},
              {"name": "c", "uploadTo": "c/", "maximumSize": 1},
              {"name": "c", "uploadTo": "c/", "maximumSize": 1, "colour": "red"}
            ]}
            """
        )
        let lines = complaint.split(separator: "\n")
        #expect(lines.count == 3, "\(complaint)")
        #expect(lines.first?.hasPrefix("fields.json:2:50: fields[0].maximumSize: it is no size") == true, "\(complaint)")
        #expect(
            lines.dropFirst().first?.hasPrefix("fields.json:3:3: fields[1].maximumSize: it is missing") == true,
            "\(complaint)"
        )
        #expect(lines.last?.hasPrefix("fields.json:5:53: fields[3]: \"colour\" is not known") == true, "\(complaint)")
    }

    @Test func `two fields of one name are refused`() {
        let complaint = self.complaint(
            """
            {"fields": [{"name": "c", "uploadTo": "c/", "maximumSize": 1},
                        {"name": "c", "uploadTo": "d/", "maximumSize": 1}]}
            """
        )
        #expect(complaint == "fields.json:2:13: fields[1].name: \"c\" is declared on line 1 as well")
    }

    @Test(arguments: [
        ("", "fields.json:1:1: the text ends"), ("{\n]", "fields.json:2:1: a member's name"),
        ("[]", "it must be an object, and is a list"),
        ("{}", "fields: it is missing"), (#"{"fields": []}"#, "fields: it must have 1 to 1000 entries"),
        (#"{"fields": [1]}"#, "fields[0]: it must be an object"),
        (#"{"fields": [], "version": 1}"#, #""version" is not known"#),
    ])
    func `a file that is no list of fields is refused`(_ text: String, _ expected: String) {
        #expect(self.complaint(text).contains(expected), "\(self.complaint(text))")
    }

    @Test func `a file that is too large is not read`() {
        let complaint = self.complaint(String(repeating: " ", count: 1_048_577))
        #expect(complaint.hasPrefix("fields.json is larger than 1 MB"))
    }
}
