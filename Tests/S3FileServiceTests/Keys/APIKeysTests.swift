import S3File
import Testing

@testable import S3FileService

@Suite struct APIKeysTests {
    private let first = "0123456789abcdefghijklmnopqrstuv"
    private let second = "ABCDEFGHIJKLMNOPQRSTUVWXYZ+/0123="

    private func keys(_ setting: String?) throws -> APIKeys { try APIKeys(setting: setting, fields: ServiceSite.fields) }

    private func complaint(_ setting: String?) -> String {
        do {
            _ = try self.keys(setting)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func `any of several keys opens, so that one can be replaced without a pause`() throws {
        let keys = try self.keys(" \(self.first), \(self.second) ,")
        #expect(keys.key(authorization: "Bearer \(self.first)") == 0)
        #expect(keys.key(authorization: "bearer \(self.second)") == 1)
    }

    @Test func `what is not a key to the letter opens nothing`() throws {
        let keys = try self.keys(self.first)
        for wrong in [
            nil, "", "Bearer", "Bearer ", self.first, "Basic \(self.first)", "Bearer  \(self.first)", "Bearer \(self.first) ",
            "Bearer \(self.first)x", "Bearer \(self.first.dropLast())", "Bearer \(self.first.uppercased())",
            "Bearer \(String(repeating: self.first, count: 100))",
        ] as [String?] {
            #expect(keys.key(authorization: wrong) == nil, "\(wrong ?? "nil")")
        }
    }

    @Test func `a key may be set as its hash`() throws {
        // printf %s 0123456789abcdefghijklmnopqrstuv | sha256sum
        let spelled = "73337f479fe170d73e53e247f3052e4243cc9c2a0ffa621853d9385c619efb77"
        #expect(try self.keys("sha256:\(spelled)").key(authorization: "Bearer \(self.first)") == 0)
        #expect(try self.keys("sha256:\(spelled.uppercased())@report").keys[0] == APIKey("\(self.first)@report", place: 1))
        #expect(self.complaint("sha256:\(spelled.dropLast())").contains("key 1 is no hash"))
        #expect(self.complaint("sha256:\(spelled.dropLast())g").contains("key 1 is no hash"))
    }

    @Test func `a key may be for some fields alone`() throws {
        let keys = try self.keys("\(self.first)@report+notes,\(self.second)")
        #expect(keys.keys[0].mayUse("report") && keys.keys[0].mayUse("notes") && !keys.keys[0].mayUse("film"))
        #expect(keys.keys[1].mayUse("film"))
    }

    @Test func `a setting that cannot be is refused in a sentence that repeats no key`() {
        let short = "0123456789abcdefghijklmnopqrstu"
        for (setting, expected) in [
            (nil, "S3FILE_API_KEYS is not set"), ("", "S3FILE_API_KEYS is not set"), (" , ", "S3FILE_API_KEYS is not set"),
            (short, "key 1 has 31 bytes"), ("\(self.first),\(short)", "key 2 has 31 bytes"),
            ("\(self.first) x", "characters that a header cannot carry"),
            ("\(self.first)é", "characters that a header cannot carry"), ("\(self.first)@", "names no field"),
            ("\(self.first)@report+", "names no field"),
            ("\(self.first)@report@film", "more than one @"),
            ("\(self.first)@avatar", "for the field \"avatar\", which is not declared"),
            ("\(self.first),\(self.first)@report", "key 2 is there twice"),
            (String(repeating: self.first, count: 17), "longer than 512 bytes"),
        ] as [(String?, String)] {
            let complaint = self.complaint(setting)
            #expect(complaint.contains(expected), "\(complaint)")
            #expect(!complaint.contains(short), "\(complaint)")
        }
    }
}
