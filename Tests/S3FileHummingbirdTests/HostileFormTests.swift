import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOConcurrencyHelpers
import NIOCore
import S3
@testable import S3File
import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("Hostile forms")
struct HostileFormTests {
    /// Expects a refusal with this status and code, and that nothing is left of it: no record, no object, no parts.
    func expectRefusal(
        _ site: TestSite,
        _ what: String,
        status: Int,
        code: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ post: @escaping @Sendable (any TestClientProtocol) async throws -> TestResponse
    ) async throws {
        try await site.app(handler: { _, _ in
            Issue.record("\(what): the handler ran", sourceLocation: sourceLocation)
            return Response(status: .ok)
        }).test(.router) { client async throws in
            let response = try await post(client)
            #expect(response.status.code == status, "\(what): \(response.text)", sourceLocation: sourceLocation)
            #expect(try response.problem()["code"] == code, "\(what): \(response.text)", sourceLocation: sourceLocation)
            #expect(try await site.rows().isEmpty, "\(what)", sourceLocation: sourceLocation)
        }
    }

    @Test func `file parts that the route does not take are refused, and leave nothing`() async throws {
        try await withSite { site async throws in
            func refuse(_ what: String, status: Int, code: String, _ form: MultipartPost) async throws {
                // A good file before the bad one goes with it.
                var whole = MultipartPost()
                whole.file("documents", "good.txt", "good")
                var body = whole.bodyWithoutEnd
                body.writeImmutableBuffer(form.body)
                let sent = body
                try await self.expectRefusal(site, what, status: status, code: code) { try await $0.post(multipart: sent) }
                #expect(try await site.tmpKeys().isEmpty, "\(what)")
            }
            func file(_ field: String, _ name: String, _ content: ByteBuffer, type: String? = "text/plain") -> MultipartPost {
                var form = MultipartPost()
                form.file(field, name, content, type: type)
                return form
            }
            let bytes = ByteBuffer(string: "bytes")
            try await refuse("undeclared field", status: 400, code: "unknown_field", file("passport", "x", bytes))
            try await refuse("marker as a file", status: 400, code: "unknown_field", file("s3file", "x", bytes))
            try await refuse(
                "ticket as a file",
                status: 400,
                code: "unknown_field",
                file("documents-s3f-signature", "x", bytes)
            )
            try await refuse(
                "too large",
                status: 413,
                code: "too_large",
                file("documents", "x", ByteBuffer(repeating: 0, count: 100_001))
            )
            try await refuse("no image", status: 415, code: "wrong_type", file("avatar", "a.png", bytes, type: "image/png"))
            let page = ByteBuffer(string: "<html><script>alert(1)</script>")
            try await refuse(
                "HTML as an image",
                status: 415,
                code: "wrong_type",
                file("avatar", "a.png", page, type: "image/png")
            )
            var many = MultipartPost()
            for index in 0..<3 { many.file("documents", "\(index).txt", "x") }
            try await refuse("too many", status: 422, code: "too_many_files", many)
            try await refuse("no name", status: 400, code: "malformed_form", file("documents", "", bytes))
            try await refuse(
                "a long name",
                status: 400,
                code: "malformed_form",
                file("documents", String(repeating: "n", count: 1_025), bytes)
            )
            for name in ["a%0D%0ASet-Cookie: x", "a%0Ab", "a\u{0}b", "a\u{1b}[31m", "a\u{85}b"] {
                try await refuse(
                    "the name \(name.debugDescription)",
                    status: 400,
                    code: "malformed_form",
                    file("documents", name, bytes)
                )
            }
        }
    }

    @Test func `names with quotes, markup and marks of direction stay what they are, and become nothing else`() async throws {
        try await withSite { site async throws in
            let names = [
                "\"x\".txt", "<img src=x onerror=alert(1)>.txt", "\u{202E}gpj.exe", "a; filename=b", "../../etc/passwd",
                "C:\\a.txt",
            ]
            for name in names {
                var form = MultipartPost()
                form.file("documents", name.replacingOccurrences(of: "\"", with: "%22"), "x")
                let post = form
                try await site.app().test(.router) { client async throws in
                    let response = try await client.post(post)
                    #expect(response.status == .ok, "\(name): \(response.text)")
                    let parts = response.text.split(separator: "\t").map(String.init)
                    #expect(parts.last == name)
                    let key = parts[2]
                    #expect(CanonicalKey.isCanonical(key) && key.hasPrefix("documents/"), "\(key)")
                    #expect(!key.unicodeScalars.contains { "<>\"';\u{202E}".unicodeScalars.contains($0) }, "\(key)")
                }
                // In a refusal they are text.
                var refused = MultipartPost()
                refused.file("avatar", name.replacingOccurrences(of: "\"", with: "%22"), "x", type: "image/png")
                let bad = refused
                try await site.app().test(.router) { client async throws in
                    let page = try await client.post(bad, headers: [.accept: "text/html"]).text
                    #expect(!page.contains("<img") && page.contains("<strong dir=\"auto\">\(HTMLText.escaped(name))</strong>"))
                    #expect(try await client.post(bad).problem()["filename"] == name)
                }
            }
            #expect(try await site.rows().count == names.count)
        }
    }

    @Test func `the payloads of CVE-2022-24840 and CVE-2026-42196, as text and as multipart`() async throws {
        try await withSite { site async throws in
            try await site.put("private/secret.txt", text: "secret")
            let (drawn, file) = try await site.drawnWithFile()
            let tmp = try await site.tmpKeys()
            let ticket = ("documents-s3f-signature", drawn.ticket)
            let traversals = [
                "private/secret.txt", "\(drawn.folder)/../../../private/secret.txt",
                "\(drawn.folder)/./../../../private/secret.txt",
                "tmp/s3file/../../private/secret.txt", "\(drawn.folder)//../private/secret.txt",
                "\(drawn.folder)/..%2f..%2f..%2fprivate/secret.txt", "\(drawn.folder)\\..\\private\\secret.txt",
                "\(drawn.folder)/\u{0}/../../private/secret.txt", "/private/secret.txt", "\(drawn.folder)/..",
                file.key + "/../../../private/secret.txt", file.key.uppercased(),
            ]
            // 2022-24840: without a signature any key was opened.
            for key in traversals + [file.key] {
                let fields = [("s3file", "documents"), ("documents", key)]
                try await self.expectRefusal(site, "unsigned \(key)", status: 403, code: "invalid_key") {
                    try await $0.post(fields)
                }
                let withEmpty = [("s3file", "documents"), ("documents-s3f-signature", ""), ("documents", key)]
                try await self.expectRefusal(site, "empty ticket \(key)", status: 403, code: "invalid_ticket") {
                    try await $0.post(withEmpty)
                }
            }
            // 2026-42196: one path was verified, and another opened.
            for key in traversals {
                let fields = [("s3file", "documents"), ticket, ("documents", key)]
                try await self.expectRefusal(site, "signed \(key)", status: 403, code: "invalid_key") {
                    try await $0.post(fields)
                }
                var multipart = MultipartPost()
                multipart.fields(fields)
                let form = multipart
                try await self.expectRefusal(site, "multipart \(key)", status: 403, code: "invalid_key") {
                    try await $0.post(form)
                }
                // Beside a good one, and beside a file in the form.
                let both = [("s3file", "documents"), ticket, ("documents", file.key), ("documents", key)]
                try await self.expectRefusal(site, "beside \(key)", status: 403, code: "invalid_key") { try await $0.post(both) }
                var withFile = MultipartPost()
                withFile.fields(drawn.post([(key, "x.txt")]))
                withFile.file("documents", "x.txt", "x")
                let mixed = withFile
                try await self.expectRefusal(site, "with a file \(key)", status: 403, code: "invalid_key") {
                    try await $0.post(mixed)
                }
            }
            #expect(try await site.tmpKeys() == tmp)
        }
    }

    @Test func `a ticket for another bucket's folder, or another app's prefix, is worth nothing`() async throws {
        try await withSite { site async throws in
            for folder in ["private/AAAAAAAAAAAAAAAAAAAAAA", "tmp/s3fileX/AAAAAAAAAAAAAAAAAAAAAA", "tmp", ""] {
                let ticket = try Ticket(
                    folder: folder,
                    field: "documents",
                    uploadTo: TestSite.documents.uploadTo.ticketRule,
                    accept: [],
                    maximumSize: TestSite.documents.maximumSize.bytes,
                    maximumCount: TestSite.documents.maximumCount,
                    subject: Ticket.digest(ofSubject: "ada"),
                    issuedAt: Date(),
                    expiresAt: Date(timeIntervalSinceNow: 600)
                ).signed(with: SigningKeys(secrets: [TestSite.secret]))
                let fields = [("s3file", "documents"), ("documents-s3f-signature", ticket), ("documents", folder + "/x")]
                try await self.expectRefusal(site, folder, status: 403, code: "invalid_ticket") { try await $0.post(fields) }
            }
        }
    }

    @Test func `a ticket and a key of another bucket name nothing in this one`() async throws {
        try await withSite(tmpBucket: "incoming") { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            // Where an app with the same secret and another bucket has it.
            try await site.put(drawn.folder + "/a")
            let fields = drawn.post([(drawn.folder + "/a", "a.txt")])
            try await self.expectRefusal(site, "other bucket", status: 422, code: "missing_object") { try await $0.post(fields) }
        }
    }

    @Test func `a thousand keys, a thousand parts, and a form of 10 MB`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            let tmp = try await site.tmpKeys()
            let keys = (0..<990).map { ("\(drawn.folder)/\($0)", "\($0).txt") }
            let thousand = drawn.post(keys).filter { $0.0 != "documents-s3f-name" }
            try await self.expectRefusal(site, "a thousand keys", status: 422, code: "too_many_files") {
                try await $0.post(thousand)
            }
            let more = Array(repeating: ("a", "b"), count: 1_001)
            try await self.expectRefusal(site, "too many fields", status: 413, code: "form_too_large") { try await $0.post(more) }
            let text = drawn.post([file]) + [("text", String(repeating: "x", count: 10_000_000))]
            try await self.expectRefusal(site, "10 MB", status: 413, code: "form_too_large") { try await $0.post(text) }
            for fields in [
                more, text, [("a", String(repeating: "x", count: 1_500_000)), ("b", String(repeating: "x", count: 1_500_000))],
            ] {
                var multipart = MultipartPost()
                multipart.file("documents", "good.txt", "good")
                multipart.fields(fields)
                let form = multipart
                try await self.expectRefusal(site, "multipart", status: 413, code: "form_too_large") { try await $0.post(form) }
            }
            #expect(try await site.tmpKeys() == tmp)
        }
    }

    @Test func `a file that comes at a form's pace holds no place for long`() async throws {
        try await withSite { site async throws in
            let limits = FormBody.Limits(silence: .milliseconds(300), bytesPerSecond: 1, streamedBytesPerSecond: 1_000_000)
            let intake = site.intake(fields: [TestSite.documents], limits: limits)
            let trickle = HeldBody()
            let slow = Task { try await intake.take(trickle) }
            try await trickle.beginning(of: "documents", filename: "a.txt")
            let sender = Task {
                while true {
                    trickle.send("x")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            #expect(try await slow.value.refusal?.status == 408)
            sender.cancel()
            #expect(try await site.tmpKeys().isEmpty)
        }
    }

    @Test func `of a resumable field a form takes what one POST takes`() async throws {
        try await withSite { site async throws in
            let field = UploadField("documents", uploadTo: "documents/", maximumSize: .gigabytes(50), resumable: .whenNeeded)
            let body = ZeroBody(size: nil)
            let outcome = try await site.intake(fields: [field]).take(body, headers: [.contentLength: "6000000000"])
            #expect(outcome.refusal?.status == 413)
            #expect(body.taken.withLockedValue { $0 } == 0)
        }
    }

    @Test func `a form that says at once that it is too long is not read`() async throws {
        try await withSite { site async throws in
            let body = ZeroBody(size: nil)
            let outcome = try await site.intake(fields: [TestSite.documents]).take(
                body,
                headers: [.contentLength: "100000000000"]
            )
            #expect(outcome.refusal?.status == 413)
            #expect(body.taken.withLockedValue { $0 } == 0)
        }
    }

    @Test func `a multipart body without an end is refused, and so is one that breaks off anywhere`() async throws {
        try await withSite { site async throws in
            var form = MultipartPost()
            form.file("documents", "a.txt", "some bytes")
            form.text("text", "value")
            let (whole, unended) = (form.body, form.bodyWithoutEnd)
            try await self.expectRefusal(site, "without end", status: 400, code: "malformed_form") {
                try await $0.post(multipart: unended)
            }
            let intake = site.intake(fields: [TestSite.documents])
            for length in stride(from: 0, to: whole.readableBytes - 3, by: 7) {
                let body = HeldBody()
                body.send(whole.getSlice(at: whole.readerIndex, length: length) ?? ByteBuffer())
                body.hangUp()
                #expect(try await intake.take(body).refusal?.status == 400, "cut after \(length) bytes")
            }
            #expect(try await site.rows().isEmpty)
            #expect(try await site.tmpKeys().isEmpty)
        }
    }

    @Test func `a client that hangs up in the middle of a large file leaves no object and no parts`() async throws {
        struct Reset: Error {}
        try await withSite { site async throws in
            let field = UploadField("documents", uploadTo: "documents/", maximumSize: .gigabytes(1))
            for error in [nil, Reset()] as [(any Error)?] {
                let body = HeldBody()
                let outcome = Task { try await site.intake(fields: [field]).take(body) }
                try await body.beginning(of: "documents", filename: "a.bin")
                for _ in 0..<5 { body.send(ByteBuffer(repeating: 1, count: 4 << 20)) }
                try await eventually("parts are in S3") { try await !site.tmpKeys().isEmpty }
                body.hangUp(error)
                if error == nil {
                    #expect(try await outcome.value.refusal?.status == 400)
                } else {
                    await #expect(throws: Reset.self) { try await outcome.value }
                }
                #expect(try await site.tmpKeys().isEmpty)
            }
            // And one whose request is cancelled.
            let body = HeldBody()
            let task = Task { try await site.intake(fields: [field]).take(body) }
            try await body.beginning(of: "documents", filename: "a.bin")
            for _ in 0..<5 { body.send(ByteBuffer(repeating: 1, count: 4 << 20)) }
            try await eventually("parts are in S3") { try await !site.tmpKeys().isEmpty }
            task.cancel()
            _ = await task.result
            #expect(try await site.tmpKeys().isEmpty)
            #expect(try await site.rows().isEmpty)
        }
    }

    @Test func `an endless file ends at its limit, with no more read than that`() async throws {
        try await withSite { site async throws in
            let field = UploadField("documents", uploadTo: "documents/", maximumSize: .megabytes(30))
            let body = ZeroBody(size: nil)
            let refusal = try await site.intake(fields: [field]).take(body).refusal
            #expect(refusal?.status == 413 && refusal?.text.contains("too_large") == true)
            #expect(body.taken.withLockedValue { $0 } <= 30_000_000 + 65_536)
            #expect(try await site.tmpKeys().isEmpty)
        }
    }

    @Test func `a body that comes too slowly, or not at all, is given up`() async throws {
        try await withSite { site async throws in
            let limits = FormBody.Limits(silence: .milliseconds(300), bytesPerSecond: 1_000_000)
            let intake = site.intake(fields: [TestSite.documents], limits: limits)
            let silent = HeldBody()
            let outcome = Task { try await intake.take(silent) }
            try await silent.beginning(of: "documents", filename: "a.txt")
            let refusal = try await outcome.value.refusal
            #expect(refusal?.status == 408 && refusal?.text.contains("too_slow") == true)
            // Never silent for long, but far below the rate.
            let trickle = HeldBody()
            let slow = Task { try await intake.take(trickle) }
            try await trickle.beginning(of: "documents", filename: "a.txt")
            let sender = Task {
                while true {
                    trickle.send("x")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            #expect(try await slow.value.refusal?.status == 408)
            sender.cancel()
            #expect(try await site.tmpKeys().isEmpty)
        }
    }

    @Test func `a store that is away is the server's fault, and the form can be sent again`() async throws {
        try await withSite { site async throws in
            let here = site.uploads.configuration
            var elsewhere = here
            elsewhere.bucket = "no-such-bucket"
            elsewhere.tmpBucket = "no-such-bucket"
            let uploads = try Uploads(configuration: elsewhere, logger: .quiet)
            let intake = FormIntake(uploads: uploads, fields: [TestSite.documents])
            let refusal = try await intake.take(ZeroBody(size: 10)).refusal
            #expect(refusal?.status == 502 && refusal?.text.contains("storage_refused") == true)
        }
    }
}
