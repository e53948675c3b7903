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

/// A form that comes back with an error keeps its files.
@Suite struct KeptFileTests {
    /// What a drawn page would post for the files that it keeps.
    private func receipts(_ site: TestSite, _ promises: [UploadPromise], subject: String? = "ada") async throws -> [String] {
        try await site.uploads.input(TestSite.documents, subject: subject, keeping: promises).kept.map(\.receipt)
    }

    private func receipt(
        field: UploadField = TestSite.documents,
        key: String,
        size: Int64 = 5,
        subject: String? = "ada",
        expiresIn seconds: TimeInterval = 60
    ) throws -> String {
        try KeptReceipt(
            field: field,
            key: key,
            filename: "x.txt",
            size: size,
            subject: Ticket.digest(ofSubject: subject),
            expiresAt: Date(timeIntervalSinceNow: seconds)
        ).signed(with: SigningKeys(secrets: [TestSite.secret]))
    }

    private func verified(_ site: TestSite, _ fields: [(String, String)]) async throws -> [UploadPromise] {
        let form = FormBody(fields: fields.map { (name: $0.0, value: $0.1) })
        return try await site.uploads.verify(form, fields: [TestSite.documents], subject: "ada")["documents"] ?? []
    }

    @Test func `a refused form is posted again with receipts in place of uploads, and its files are taken`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile(name: "ünï \"文\".txt")
            try await site.app(handler: { request, context in
                let body = String(buffer: try await request.body.collect(upTo: 100_000))
                guard body.contains("title=none") else { return TestSite.list(context) }
                let promises = context.uploads.promises["documents"] ?? []
                let input = try await site.uploads.input(TestSite.documents, subject: "ada", keeping: promises)
                return Response(
                    status: .unprocessableContent,
                    body: .init(byteBuffer: ByteBuffer(string: input.kept.map(\.receipt).joined()))
                )
            }).test(.router) { client async throws in
                let refused = try await client.post(drawn.post([file]) + [("title", "none")])
                #expect(refused.status == .unprocessableContent)
                #expect(try await site.rows() == ["cancelled"])
                let kept = ("documents-s3f-kept", refused.text)
                // As without the script: no marker, no ticket.
                let taken = try await client.post([kept, ("title", "some")])
                #expect(taken.status == .ok && taken.text.hasSuffix("ünï \"文\".txt"))
                #expect(try await site.rows() == ["queued"])
                // Beside a new file, of a form drawn anew.
                let (again, other) = try await site.drawnWithFile(name: "y.txt")
                let both = try await client.post(again.post([other]) + [kept])
                #expect(both.text.split(separator: "\n").count == 2 && both.text.hasPrefix(taken.text))
                #expect(try await site.rows() == ["queued", "queued"])
            }
        }
    }

    @Test func `a receipt posted after the move is the same upload`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            let promises = try await self.verified(site, drawn.post([file]))
            let first = try await site.uploads.enqueue(promises)
            let receipt = try #require(try await self.receipts(site, promises).first)
            try await site.connections.s3.deleteObject(bucket: TestSite.bucket, key: file.key)
            let again = try await site.uploads.enqueue(try await self.verified(site, [("documents-s3f-kept", receipt)]))
            #expect(again.map(\.id) == first.map(\.id))
        }
    }

    @Test func `a file can be kept until an hour before the sweep takes it, however often it is kept`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            var fields = drawn.post([file])
            for _ in 0..<2 {
                var promises = try await self.verified(site, fields)
                let modified = try #require(promises[0].tmpModifiedAt)
                #expect(abs(modified.timeIntervalSinceNow) < 60)
                // As if it had been made 20 hours ago, of the 24 that it has.
                promises[0].tmpModifiedAt = modified.addingTimeInterval(-20 * 3_600)
                let receipt = try #require(try await self.receipts(site, promises).first)
                let end = try #require(KeptReceipt.read(receipt, keys: SigningKeys(secrets: [TestSite.secret]))).expiresAt
                #expect((10_700...10_800).contains(end.timeIntervalSinceNow))
                fields = [("documents-s3f-kept", receipt)]
            }
        }
    }

    @Test func `kept files count, and satisfy a field that needs one`() async throws {
        let required = UploadField(
            "documents",
            uploadTo: "documents/",
            maximumSize: .kilobytes(100),
            maximumCount: 3,
            required: true
        )
        try await withSite { site async throws in
            let keys = (0..<4).map { "tmp/s3file/f/\($0)" }
            for key in keys { try await site.put(key) }
            let kept = try keys.map { ("documents-s3f-kept", try self.receipt(key: $0)) }
            try await RefusedFormTests().expectRefusal(site, kept, status: 422, code: "too_many_files")
            let drawn = try await site.draw(required)
            try await site.app(fields: [required]).test(.router) { client async throws in
                let nothing = try await client.post(drawn.post([]))
                #expect(try nothing.problem()["code"] == "required")
                #expect(try await client.post(drawn.post([]) + kept.prefix(1)).status == .ok)
            }
        }
    }

    @Test func `a receipt that was changed, is over, or is another's takes nothing`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.put("invoices/x.pdf")
            let good = try self.receipt(key: file.key)
            func refuse(_ receipt: String, _ status: Int, _ code: String, more: [(String, String)] = []) async throws {
                let fields = [("documents-s3f-kept", receipt)] + more
                try await RefusedFormTests().expectRefusal(site, fields, status: status, code: code)
            }
            try await refuse(String(good.dropLast(4)) + (good.hasSuffix("AAAA") ? "BBBB" : "AAAA"), 403, "invalid_ticket")
            try await refuse(drawn.ticket, 403, "invalid_ticket")
            try await refuse("", 403, "invalid_ticket")
            for (name, uploadTo, accept) in [
                ("avatar", "documents/", []), ("documents", "avatars/", []), ("documents", "documents/", [.pdf]),
            ] as [(String, UploadTo, [AcceptedType])] {
                let other = UploadField(name, uploadTo: uploadTo, accept: accept, maximumSize: .kilobytes(100), maximumCount: 3)
                try await refuse(try self.receipt(field: other, key: file.key), 403, "invalid_ticket")
            }
            try await refuse(try self.receipt(key: file.key, subject: "eve"), 403, "invalid_ticket")
            try await refuse(try self.receipt(key: file.key, subject: nil), 403, "invalid_ticket")
            try await refuse(try self.receipt(key: "invoices/x.pdf"), 403, "invalid_ticket")
            try await refuse(try self.receipt(key: "tmp/s3file/../invoices/x.pdf"), 403, "invalid_ticket")
            try await refuse(try self.receipt(key: file.key, expiresIn: -1), 410, "expired_ticket")
            try await refuse(try self.receipt(key: file.key + "x"), 422, "missing_object")
            try await refuse(try self.receipt(key: file.key, size: 6), 409, "replaced")
            try await refuse(good, 403, "invalid_key", more: [("documents-s3f-kept", good)])
            try await refuse(good, 403, "invalid_key", more: drawn.post([file]))
            // No receipt is a ticket, a status token or the name of an upload in parts.
            try await RefusedFormTests().expectRefusal(
                site,
                drawn.post([file]).map { $0.0 == "documents-s3f-signature" ? ($0.0, good) : $0 },
                status: 403,
                code: "invalid_ticket"
            )
        }
    }

    @Test func `a reloaded page brings the ticket of before, too`() async throws {
        try await withSite { site async throws in
            let (old, file) = try await site.drawnWithFile()
            let drawn = try await site.draw(TestSite.documents)
            var fields = drawn.post([file])
            #expect(await self.code { try await self.verified(site, fields) } == "invalid_key")
            fields.append(("documents-s3f-signature", old.ticket))
            let taken = try await self.verified(site, fields)
            #expect(taken.map(\.tmpKey) == [file.key])
            // One that is no good does not spoil the others.
            let spoilt = try await self.verified(site, [("documents-s3f-signature", "v1.x.y")] + fields)
            #expect(spoilt.map(\.tmpKey) == [file.key])
        }
    }

    private func code(_ body: () async throws -> some Any) async -> String {
        do {
            _ = try await body()
            return "none"
        } catch {
            return (error as? UploadError)?.code.rawValue ?? "\(error)"
        }
    }
}
