import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3
@testable import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

/// The routes that a page's script asks while files are on their way.
@Suite struct InputRoutesTests {
    /// An app whose session is a header, or one that does not say who asks.
    private func app(_ site: TestSite, knowsSubject: Bool = true) -> some ApplicationProtocol {
        let router = Router(context: TestContext.self)
        UploadRoutes(uploads: site.uploads) { (request: Request, _: TestContext) in
            knowsSubject ? request.headers[TestSite.user] : nil
        }.add(to: router)
        return Application(router: router, logger: .quiet)
    }

    private func post(
        _ client: any TestClientProtocol,
        _ path: String,
        _ fields: [(String, String)],
        user: String? = "ada"
    ) async throws -> (status: Int, json: [String: Any]) {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        headers[TestSite.user] = user
        let response = try await client.execute(
            uri: "/s3file/" + path,
            method: .post,
            headers: headers,
            body: ByteBuffer(string: encodeForm(fields))
        )
        let object = try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView))
        return (response.status.code, object as? [String: Any] ?? [:])
    }

    private func ticket(_ site: TestSite, expiresIn seconds: TimeInterval, subject: String? = "ada", folder: String? = nil) throws
        -> String
    {
        try Ticket(
            folder: folder ?? "tmp/s3file/AAAAAAAAAAAAAAAAAAAAAA",
            field: "documents",
            uploadTo: TestSite.documents.uploadTo.ticketRule,
            accept: [],
            maximumSize: TestSite.documents.maximumSize.bytes,
            maximumCount: TestSite.documents.maximumCount,
            subject: Ticket.digest(ofSubject: subject),
            issuedAt: Date(),
            expiresAt: Date(timeIntervalSinceNow: seconds)
        ).signed(with: SigningKeys(secrets: [TestSite.secret]))
    }

    @Test func `a live ticket gets a fresh policy for its own folder, which ends no later than it`() async throws {
        try await withSite { site async throws in
            let ticket = try self.ticket(site, expiresIn: 600)
            try await self.app(site, knowsSubject: false).test(.router) { client async throws in
                let (status, json) = try await self.post(client, "inputs", [("ticket", ticket)])
                #expect(status == 200)
                let fields = try #require(json["fields"] as? [String: String])
                #expect(fields["key"] == "tmp/s3file/AAAAAAAAAAAAAAAAAAAAAA/${filename}")
                #expect((json["url"] as? String)?.hasSuffix("/media") == true)
                #expect(json["ticket"] as? String == ticket)
                let end = try #require(try (json["expiresAt"] as? String).map { try Date($0, strategy: .iso8601) })
                #expect((590...600).contains(end.timeIntervalSinceNow))
                let policy = try #require(fields["policy"].flatMap { Data(base64Encoded: $0) })
                let document = String(decoding: policy, as: UTF8.self)
                #expect(document.contains(#"["starts-with","$key","tmp/s3file/AAAAAAAAAAAAAAAAAAAAAA/"]"#))
                #expect(document.contains(#"["content-length-range",0,100000]"#))
            }
        }
    }

    @Test
    func
        `a ticket that ended is exchanged for one of a new folder, by its own subject alone, within a week, and never by nobody`()
        async throws
    {
        try await withSite { site async throws in
            let old = try self.ticket(site, expiresIn: -3_600)
            try await self.app(site).test(.router) { client async throws in
                let renewed = try await self.post(client, "inputs", [("ticket", old)])
                #expect(renewed.status == 200)
                let ticket = try #require(renewed.json["ticket"] as? String)
                #expect(ticket != old)
                let read = try Ticket.read(ticket, keys: SigningKeys(secrets: [TestSite.secret]), now: Date())
                // What lies in the old one is too old for another day.
                #expect(read.folder.hasPrefix("tmp/s3file/") && read.folder != "tmp/s3file/AAAAAAAAAAAAAAAAAAAAAA")
                let fields = try #require(renewed.json["fields"] as? [String: String])
                #expect(fields["key"] == read.folder + "/${filename}")
                #expect(read.field == "documents" && read.subject == Ticket.digest(ofSubject: "ada"))
                #expect((43_100...43_200).contains(read.expiresAt.timeIntervalSinceNow))
                let end = try #require(try (renewed.json["ticketExpiresAt"] as? String).map { try Date($0, strategy: .iso8601) })
                #expect(abs(end.timeIntervalSince(read.expiresAt)) < 1)

                let live = try self.ticket(site, expiresIn: 60)
                let same = try await self.post(client, "inputs", [("ticket", live)])
                #expect(same.status == 200 && same.json["ticket"] as? String == live)
                for (ticket, user, status, code) in [
                    (old, "eve", 403, "invalid_ticket"), (old, nil, 410, "expired_ticket"), (live, "eve", 403, "invalid_ticket"),
                    (try self.ticket(site, expiresIn: -7 * 86_400 - 60), "ada", 410, "expired_ticket"),
                    (try self.ticket(site, expiresIn: -60, subject: nil), "ada", 410, "expired_ticket"),
                    (try self.ticket(site, expiresIn: 60, folder: "invoices/2026"), "ada", 403, "invalid_ticket"),
                    (live + "A", "ada", 403, "invalid_ticket"), ("", "ada", 403, "invalid_ticket"),
                ] as [(String, String?, Int, String)] {
                    let refused = try await self.post(client, "inputs", [("ticket", ticket)], user: user)
                    #expect(refused.status == status && refused.json["code"] as? String == code, "\(refused)")
                }
                #expect(try await self.post(client, "inputs", [("tickets", live)]).status == 400)
            }
        }
    }

    @Test func `an input's policy is shorter than its ticket`() async throws {
        try await withSite { site async throws in
            let input = try await site.uploads.input(TestSite.documents, subject: "ada")
            #expect((3_590...3_600).contains(input.expiresAt.timeIntervalSinceNow))
            #expect((43_190...43_200).contains(input.ticketExpiresAt.timeIntervalSinceNow))
        }
    }

    @Test func `a file goes up in parts by these routes, and none of their answers is kept by a cache`() async throws {
        try await withSite { site async throws in
            let ticket = try await site.draw(TestSite.documents).ticket
            try await self.app(site).test(.router) { client async throws in
                let begun = try await self.post(client, "multipart", [("ticket", ticket), ("size", "5"), ("type", "")])
                #expect(begun.status == 201 && begun.json["partSize"] as? Int == 8_388_608)
                let (token, key) = (begun.json["upload"] as? String ?? "", begun.json["key"] as? String ?? "")
                let signed = try await self.post(client, "multipart/parts", [("upload", token), ("part", "1")])
                let part = try #require((signed.json["parts"] as? [[String: Any]])?.first)
                #expect(signed.status == 200 && part["number"] as? Int == 1)
                #expect((part["url"] as? String)?.contains("X-Amz-SignedHeaders=content-length%3Bhost") == true)

                let listing = "/s3file/multipart?upload=" + token
                let empty = try await client.execute(uri: listing, method: .get)
                #expect(empty.status == .ok && empty.text == #"{"parts":[]}"# && empty.headers[.cacheControl] == "no-store")
                let early = try await self.post(client, "multipart/complete", [("upload", token)])
                #expect(early.status == 409 && early.json["code"] as? String == "incomplete_upload")

                let uploadID = try #require(ResumableUpload.read(token, keys: SigningKeys(secrets: [TestSite.secret]))?.uploadID)
                _ = try await site.connections.s3.uploadPart(
                    bucket: TestSite.bucket,
                    key: key,
                    uploadID: uploadID,
                    number: 1,
                    body: ByteBuffer(string: "hello")
                )
                #expect(try await client.execute(uri: listing, method: .get).text == #"{"parts":[1]}"#)
                let completed = try await self.post(client, "multipart/complete", [("upload", token)])
                #expect(completed.status == 200 && completed.json["key"] as? String == key && completed.json["size"] as? Int == 5)

                let other = try await self.post(client, "multipart", [("ticket", ticket), ("size", "5"), ("type", "")])
                let uri = "/s3file/multipart?upload=" + (other.json["upload"] as? String ?? "")
                #expect(try await client.execute(uri: uri, method: .delete).status == .noContent)
                let gone = try await client.execute(uri: uri, method: .get)
                #expect(try gone.status == .gone && gone.problem()["code"] == "expired")
                for (path, fields, status) in [
                    ("multipart", [("ticket", ticket), ("size", "many")], 400), ("multipart", [("size", "5")], 400),
                    ("multipart", [("ticket", ticket), ("size", "100001")], 413), ("multipart/parts", [("part", "1")], 400),
                    ("multipart/parts", [("upload", token), ("part", "x")], 400), ("multipart/complete", [("upload", "x")], 403),
                ] as [(String, [(String, String)], Int)] {
                    #expect(try await self.post(client, path, fields).status == status, "\(path) \(fields)")
                }
                #expect(try await client.execute(uri: "/s3file/multipart", method: .delete).status == .badRequest)
            }
        }
    }
}
