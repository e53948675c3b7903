import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3
@testable import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("What verification makes of a form")
struct VerificationTests {
    private func ticket(folder: String, expiresIn seconds: TimeInterval) throws -> String {
        try Ticket(
            folder: folder,
            field: "documents",
            uploadTo: TestSite.documents.uploadTo.ticketRule,
            accept: [],
            maximumSize: TestSite.documents.maximumSize.bytes,
            maximumCount: TestSite.documents.maximumCount,
            subject: Ticket.digest(ofSubject: "ada"),
            issuedAt: Date(),
            expiresAt: Date(timeIntervalSinceNow: seconds)
        ).signed(with: SigningKeys(secrets: [TestSite.secret]))
    }

    @Test func `a ticket takes files from the tmp folder only, whoever signed it`() async throws {
        try await withSite { site async throws in
            try await site.put("invoices/2026/secret.pdf")
            let fields = [
                ("s3file", "documents"), ("documents-s3f-signature", try self.ticket(folder: "invoices/2026", expiresIn: 60)),
                ("documents", "invoices/2026/secret.pdf"),
            ]
            try await RefusedFormTests().expectRefusal(site, fields, status: 403, code: "invalid_ticket")
        }
    }

    @Test func `an input that nobody touched does not refuse the form, however old the page is`() async throws {
        try await withSite { site async throws in
            let old = try self.ticket(folder: "tmp/s3file/AAAAAAAAAAAAAAAAAAAAAA", expiresIn: -60)
            try await site.app().test(.router) { client async throws in
                let response = try await client.post([("s3file", "documents"), ("documents-s3f-signature", old), ("title", "x")])
                #expect(response.status == .ok)
            }
        }
    }

    @Test func `a destination that lies below the tmp folder is refused, or the sweep would take it`() async throws {
        try await withSite { site async throws in
            let field = UploadField("documents", uploadTo: UploadTo { _ in "tmp/s3file/kept" }, maximumSize: .kilobytes(100))
            let drawn = try await site.draw(field)
            try await site.put(drawn.folder + "/x")
            try await site.app(fields: [field]).test(.router) { client async throws in
                let response = try await client.post(drawn.post([(drawn.folder + "/x", "x.txt")]))
                #expect(response.status == .internalServerError)
            }
            #expect(try await site.rows().isEmpty)
        }
    }

    @Test func `of several inputs of one name each brings its files, however few the field may have`() async throws {
        try await withSite { site async throws in
            // As a page with rows draws one for each, of which most stay empty.
            var rows: [TestSite.Drawn] = []
            for _ in 0..<20 { rows.append(try await site.draw(TestSite.documents)) }
            let last = try #require(rows.last)
            try await site.put(last.folder + "/x")
            let fields = rows.dropLast().flatMap { $0.post([]) } + last.post([(last.folder + "/x", "x.txt")])
            try await site.app().test(.router) { client async throws in
                #expect(try await client.post(fields).status == .ok)
            }
            #expect(try await site.uploads.recent(owner: "ada").map(\.filename) == ["x.txt"])
        }
    }

    @Test func `an object of somebody else at the wished key gives the upload a name of its own`() async throws {
        try await withSite { site async throws in
            try await site.put("documents/cv.tar.gz")
            let (drawn, file) = try await site.drawnWithFile(name: "cv.tar.gz")
            let form = try FormBody.parse(
                ByteBuffer(string: encodeForm(drawn.post([file]))),
                contentType: "application/x-www-form-urlencoded"
            )
            let promises = try await site.uploads.verify(form, fields: [TestSite.documents], subject: "ada")
            let key = try #require(promises["documents"]?.first?.requestedKey)
            #expect(key.wholeMatch(of: /documents\/cv\.tar_[A-Za-z0-9]{7}\.gz/) != nil, "\(key)")
        }
    }

    @Test func `the files of one form keep their order`() async throws {
        try await withSite { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            let files = ["c", "a", "b"].map { (key: drawn.folder + "/" + $0, name: $0 + ".txt") }
            for file in files { try await site.put(file.key) }
            try await site.app().test(.router) { client async throws in
                _ = try await client.post(drawn.post(files))
            }
            let recent = try await site.uploads.recent(owner: "ada")
            #expect(recent.map(\.filename) == ["c.txt", "a.txt", "b.txt"])
        }
    }
}
