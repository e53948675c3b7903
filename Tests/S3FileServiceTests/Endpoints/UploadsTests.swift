import Foundation
import HTTPTypes
import S3File
import S3FileTesting
import Testing

@testable import S3FileService

@Suite struct UploadsTests {
    @Test func `an upload is told by its id, with what lets a page follow it`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let id = try #require(try await asker.form(try await site.posted("report", by: asker)).ids().first)
            let upload = try await asker.get("/v1/uploads/\(id.uppercased())")
            #expect(try upload.status == 200 && upload.text("id") == id && upload.text("owner") == "ada", "\(upload.body)")
            #expect(upload.headers[.cacheControl] == "no-store")
            let path = try upload.text("statusPath")
            #expect(try path == "/s3file/uploads/\(id)?token=\(upload.text("statusToken"))")
            #expect(try await asker.get(path, key: nil).text("status") == "queued")
            try await site.test.store(try #require(UUID(uuidString: id)))
            let stored = try await asker.get("/v1/uploads/\(id)")
            #expect(try stored.text("status") == "stored" && stored.text("url").contains("X-Amz-Signature"))
        }
    }

    @Test func `several are told in the order asked, and what there is not is named`() async throws {
        try await ServiceSite.with { site, asker async throws in
            var ids: [String] = []
            for _ in 0..<3 { ids += try await asker.form(try await site.posted("report", by: asker)).ids() }
            let unknown = UUID().uuidString.lowercased()
            let asked = [ids[2], unknown, ids[0], ids[2]].map { "id=\($0)" }.joined(separator: "&")
            let answer = try await asker.get("/v1/uploads?\(asked)")
            #expect(try answer.ids() == [ids[2], ids[0]] && answer.unknown() == [unknown])
            #expect(try await asker.get("/v1/uploads?owner=ada").ids().sorted() == ids.sorted())
            #expect(try await asker.get("/v1/uploads?owner=ada&limit=2").ids().count == 2)
            #expect(try await asker.get("/v1/uploads?owner=eve").uploads().isEmpty)
            #expect(try await asker.get("/v1/uploads?owner=ad%61").uploads().count == 3)
        }
    }

    @Test(arguments: [
        "", "id=", "id=7", "id=0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f6", "id=0192f3c17a557c3e9d0a1b2c3d4e5f60",
        "id=%7B0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f%7D",
        "owner=", "owner=a&owner=b", "owner=a&limit=0", "owner=a&limit=1001", "owner=a&limit=x", "owner=a&limit=1&limit=2",
        "limit=1", "owner=a%07",
        "owner=a&id=0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60", "id=0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60&limit=1", "owner=a&page=2",
    ])
    func `a query that says nothing, or two things, is refused`(_ query: String) async throws {
        try await ServiceSite.with { _, asker async throws in
            let answer = try await asker.get("/v1/uploads?\(query)")
            #expect(
                try answer.status == 400 && answer.code() == "invalid_query" && answer.text("detail").hasSuffix("."),
                "\(answer.body)"
            )
        }
    }

    @Test func `an id that is none is refused, and one that there is not is unknown`() async throws {
        try await ServiceSite.with { _, asker async throws in
            for id in ["7", "x", "0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f6g", UUID().uuidString] {
                let answer = try await asker.get("/v1/uploads/\(id)")
                #expect(try answer.status == 404 && answer.code() == "unknown_upload", "\(id)")
            }
            for what in ["release", "cancel", "cancel-held", "retry"] {
                let malformed = try await asker.post(
                    "/v1/uploads/\(what)",
                    #"{"ids": ["7", "0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60", 7]}"#
                )
                #expect(try malformed.status == 422 && (malformed.value("errors") as? [Any])?.count == 2, "\(malformed.body)")
                let unknown = try await asker.post("/v1/uploads/\(what)", #"{"ids": ["0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60"]}"#)
                #expect(try unknown.status == 200 && unknown.unknown() == ["0192f3c1-7a55-7c3e-9d0a-1b2c3d4e5f60"])
                #expect(try await asker.post("/v1/uploads/\(what)", #"{"ids": []}"#).status == 422)
                #expect(try await asker.post("/v1/uploads/\(what)", "{}").status == 422)
            }
        }
    }

    @Test func `thousands of ids are refused, a thousand are not`() async throws {
        try await ServiceSite.with { _, asker async throws in
            func ids(_ count: Int) -> [String] { (0..<count).map { _ in UUID().uuidString } }
            let thousand = try JSONSerialization.data(withJSONObject: ["ids": ids(1_000)])
            #expect(
                try await asker.post("/v1/uploads/cancel", String(decoding: thousand, as: UTF8.self)).unknown().count == 1_000
            )
            for count in [1_001, 5_000, 20_000] {
                let body = try JSONSerialization.data(withJSONObject: ["ids": ids(count)])
                let answer = try await asker.post("/v1/uploads/cancel", String(decoding: body, as: UTF8.self))
                #expect(answer.status == 422 || answer.status == 400, "\(count): \(answer.body)")
            }
            let query = ids(101).map { "id=\($0)" }.joined(separator: "&")
            let answer = try await asker.get("/v1/uploads?\(query)")
            #expect(try answer.status == 400 && answer.code() == "too_many_uploads")
        }
    }

    @Test func `cancelled uploads are taken up again, both as often as is asked`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let id = try #require(try await asker.form(try await site.posted("report", by: asker)).ids().first)
            let body = #"{"ids": ["\#(id)"], "owner": "ada"}"#
            for (what, status) in [("cancel", "cancelled"), ("cancel", "cancelled"), ("retry", "queued"), ("retry", "queued")] {
                #expect(try await asker.post("/v1/uploads/\(what)", body).statuses() == [status], "\(what)")
            }
        }
    }

    @Test func `with an owner, nobody else's uploads are touched`() async throws {
        try await ServiceSite.with { site, asker async throws in
            let id = try #require(try await asker.form(try await site.posted("report", by: asker)).ids().first)
            let answer = try await asker.post("/v1/uploads/cancel", #"{"ids": ["\#(id)"], "owner": "eve"}"#)
            #expect(try answer.status == 200 && answer.unknown() == [id] && answer.uploads().isEmpty)
            #expect(try await asker.get("/v1/uploads/\(id)").text("status") == "queued")
        }
    }
}
