import Foundation
import S3DevServer
import Testing

@testable import Proof

@Suite struct CephJournalTests {
    /// As Ceph 20.2 writes it, without what nobody reads.
    private func line(
        _ second: Int,
        _ operation: String,
        _ object: String,
        status: Int = 200,
        uri: String = "",
        deleted: String = ""
    ) -> String {
        let data = deleted.isEmpty ? "" : #","op_data":{"num_ok":1,"num_err":0,"objects":[\#(deleted)]}"#
        return """
            {"bucket":"prove","object":"\(object)","time":"2026-11-28T21:28:0\(second).090609Z","operation":"\(operation)",\
            "uri":"\(uri)","http_status":"\(status)","total_time":4\(data)}
            """
    }

    private func told(_ lines: String...) throws -> [String] {
        try CephJournal.entries(of: Data(lines.joined(separator: "\n").utf8)).map {
            "\($0.number) \($0.change.rawValue) \($0.key)\($0.replaced == nil ? "" : " over another")"
        }
    }

    @Test func `what took effect is told in its order, whatever it was asked by`() throws {
        let told = try self.told(
            self.line(1, "post_obj", "a"),
            self.line(3, "copy_obj", "b"),
            self.line(2, "put_obj", "c"),
            self.line(4, "copy_obj", "b"),
            self.line(5, "put_obj", "d", uri: "PUT /prove/d?partNumber=1&uploadId=2~x HTTP/1.1"),
            self.line(6, "complete_multipart", "d"),
            self.line(7, "delete_obj", "c", status: 204),
            self.line(
                8,
                "multi_object_delete",
                "-",
                deleted: #"{"key":"a","error":false},{"key":"b","error":true},{"key":"never","error":false}"#
            )
        )
        #expect(told == ["1 put a", "2 put c", "3 put b", "4 put b over another", "5 put d", "6 delete c", "7 delete a"])
    }

    @Test func `what was refused, only asked for, or cut off by a kill is not told`() throws {
        let told = try self.told(
            self.line(1, "copy_obj", "a", status: 412),
            self.line(2, "get_obj", "a"),
            self.line(3, "put_obj", "b").prefix(40) + self.line(4, "put_obj", "c"),
            self.line(5, "put_obj", "d"),
            String(self.line(6, "put_obj", "e").prefix(90))
        )
        #expect(told == ["1 put d"])
    }

    @Test func `moments are kept to the microsecond, and a deletion is not earlier than it was`() throws {
        let lines = [self.line(1, "put_obj", "a"), self.line(2, "delete_obj", "a", status: 204)].joined(separator: "\n")
        let entries = try CephJournal.entries(of: Data(lines.utf8))
        let second = try Date("2026-11-28T21:28:01Z", strategy: .iso8601).timeIntervalSince1970
        #expect(entries.first?.at == Int64(second) * 1_000_000 + 90_609)
        #expect(entries.last?.at == Int64(second + 1) * 1_000_000 + 100_609)
    }
}
