import HTTPTypes
import Foundation
@testable import S3FileHTTP
import Testing

@Suite struct AskedUploadsTests {
    private func asked(_ values: [String]) throws -> AskedUploads {
        try AskedUploads(query: [("wait", "1")] + values.map { ("upload", $0) })
    }

    @Test func `uploads are named by id and token, each once, in their order`() throws {
        let ids = (0..<3).map { _ in UUID() }
        let asked = try self.asked(["\(ids[0]).a", "\(ids[1])", "\(ids[0]).b", "\(ids[2])."])
        #expect(asked.entries.map(\.id) == ids)
        #expect(asked.entries.map(\.token) == ["a", nil, ""])
    }

    @Test func `a hundred are admitted, and more are refused with the number`() throws {
        #expect(try self.asked((0..<100).map { _ in "\(UUID()).t" }).entries.count == 100)
        let problem = #expect(throws: Problem.self) { try self.asked((0..<1_000).map { _ in "\(UUID()).t" }) }
        #expect(problem?.status == .badRequest && problem?.code == "too_many_uploads")
        #expect(problem?.detail.contains("1000") == true)
    }

    @Test(arguments: ["", ".", "1.t", "\(UUID())x.t", " \(UUID()).t", "{\(UUID())}.t", String(repeating: "a", count: 100_000)])
    func `what is no id is refused`(value: String) {
        let problem = #expect(throws: Problem.self) { try self.asked([value]) }
        #expect(problem?.code == "malformed_upload")
    }

    @Test func `none at all is refused, too`() {
        #expect(#expect(throws: Problem.self) { try self.asked([]) }?.code == "upload_required")
    }
}
