import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import S3
@testable import S3File
@testable import S3FileHTTP
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("A form that brings its files itself")
struct StreamedFormTests {
    static let large = UploadField("documents", uploadTo: "documents/", maximumSize: .megabytes(40), maximumCount: 3)

    /// Answers with the form as the handler's own parser reads it.
    static func echo(_ request: Request, _ context: TestContext) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        #expect(request.headers[.contentLength] == String(body.readableBytes))
        let form = try FormBody.parse(body, contentType: request.headers[.contentType] ?? "")
        #expect(form.fields.map { "\($0)" } == context.uploads.form.fields.map { "\($0)" })
        let lines = form.fields.map { "\($0.name)=\($0.value)" }
        return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: lines.joined(separator: "\n"))))
    }

    @Test func `its files become the same uploads, and the handler sees it as the script would have posted it`() async throws {
        try await withSite { site async throws in
            var form = MultipartPost()
            form.text("before", "a \"b\" ü")
            form.file("documents", "100%25 ünï &amp; %22x%22.txt", "first")
            form.text("between", "1")
            form.untouched("avatar")
            form.file("documents", "b.txt", "second", type: nil)
            form.text("between", "2")
            form.untouched("other")
            let post = form
            try await site.app(handler: Self.echo).test(.router) { client async throws in
                for method in [HTTPRequest.Method.post, .put] {
                    let response = try await client.post(post, method: method)
                    #expect(response.status == .ok, "\(response.text)")
                    let fields = response.text.split(separator: "\n").map { line in
                        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                        return (name: String(parts[0]), value: String(parts[1]))
                    }
                    #expect(
                        fields.map(\.name) == [
                            "s3file", "avatar-s3f-signature", "s3file", "documents-s3f-signature", "before", "documents",
                            "documents-s3f-name", "between", "documents", "documents-s3f-name", "between",
                        ]
                    )
                    #expect(fields.filter { $0.name == "s3file" }.map(\.value) == ["avatar", "documents"])
                    let names = fields.filter { $0.name == "documents-s3f-name" }.map(\.value)
                    #expect(names == ["100%25 ünï &amp; \"x\".txt", "b.txt"])
                    let keys = fields.filter { $0.name == "documents" }.map(\.value)
                    #expect(try await String(buffer: site.content(keys[0])) == "first")
                    #expect(try await String(buffer: site.content(keys[1])) == "second")
                    // Our own ticket, and the key is in its folder: the handler may draw the form again with it.
                    let ticket = try Ticket.read(fields[3].value, keys: SigningKeys(secrets: [TestSite.secret]), now: Date())
                    #expect(keys.allSatisfy { CanonicalKey.isValid($0, in: ticket.folder) })
                }
            }
            #expect(try await site.rows() == Array(repeating: "queued", count: 4))
            let recent = try await site.uploads.recent(owner: "ada")
            #expect(Set(recent.map(\.contentType)) == ["text/plain", "application/octet-stream"])
            #expect(recent.map(\.size).sorted() == [5, 5, 6, 6])
        }
    }

    @Test func `a file of more than one buffer goes to S3 in parts, byte for byte`() async throws {
        try await withSite { site async throws in
            for size in [TmpWriter.bufferBytes - 1, TmpWriter.bufferBytes, TmpWriter.bufferBytes + 1, 20_000_001] {
                // A pattern that no part's length is a multiple of.
                let pattern = (0..<4_099).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                var content = ByteBuffer()
                while content.readableBytes < size { content.writeBytes(pattern.prefix(size - content.readableBytes)) }
                var form = MultipartPost()
                form.file("documents", "large.bin", content, type: "application/octet-stream")
                let (post, expected) = (form, content)
                try await site.app(
                    fields: [Self.large],
                    handler: { _, context async throws in
                        let promise = try #require(context.uploads["documents"].first?.promise)
                        #expect(promise.size == Int64(size))
                        #expect(try await promise.body.collect(upTo: 40 << 20) == expected)
                        return TestSite.list(context)
                    }
                ).test(.live) { client async throws in
                    #expect(try await client.post(post).status == .ok)
                }
            }
            #expect(try await site.rows().count == 4)
            #expect(try await site.tmpKeys().allSatisfy { !$0.hasSuffix("(unfinished)") })
        }
    }

    @Test func `files by key and files by bytes can be in one form, in one field even`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            var form = MultipartPost()
            form.file("documents", "bytes.txt", "bytes")
            form.fields(drawn.post([file]))
            form.file("avatar", "a.gif", "GIF89a…", type: "image/gif")
            let post = form
            try await site.app().test(.router) { client async throws in
                let response = try await client.post(post)
                #expect(response.status == .ok, "\(response.text)")
                let names = response.text.split(separator: "\n").map { $0.split(separator: "\t").last.map(String.init) }
                #expect(names == ["a.gif", "bytes.txt", "x.txt"])
            }
        }
    }

    @Test func `a multipart form of our script, without files in it, is the same form to the handler`() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            var form = MultipartPost()
            form.fields(drawn.post([file]) + [("text", "a\r\nb"), ("text", "")])
            let post = form
            try await site.app(
                handler: { request, _ in
                    Response(status: .ok, body: .init(byteBuffer: try await request.body.collect(upTo: 100_000)))
                }
            ).test(.router) { client async throws in
                #expect(try await client.post(post).body == post.body)
            }
            #expect(try await site.rows() == ["queued"])
        }
    }

    @Test func `an empty file is a file, an untouched input is none, and a required one wants a file`() async throws {
        try await withSite { site async throws in
            let required = UploadField("documents", uploadTo: "documents/", maximumSize: .kilobytes(1), required: true)
            try await site.app(fields: [required]).test(.router) { client async throws in
                var untouched = MultipartPost()
                untouched.untouched("documents")
                let refused = try await client.post(untouched)
                #expect(refused.status == .unprocessableContent)
                #expect(try refused.problem()["code"] == "required")
                var empty = MultipartPost()
                empty.file("documents", "empty.txt", "")
                #expect(try await client.post(empty).status == .ok)
            }
            #expect(try await site.uploads.recent(owner: "ada").map(\.size) == [0])
        }
    }

    @Test func `an app can refuse such forms`() async throws {
        try await withSite { site async throws in
            var form = MultipartPost()
            form.file("documents", "a.txt", "bytes")
            let post = form
            try await site.app(withoutScript: .refused).test(.router) { client async throws in
                let response = try await client.post(post)
                #expect(response.status == .unprocessableContent)
                #expect(try response.problem()["code"] == "script_required")
                #expect(try response.problem()["filename"] == "a.txt")
                // Longer than a form may be, for it has a file in it.
                var large = MultipartPost()
                large.file("documents", "a.txt", ByteBuffer(repeating: 1, count: 3_000_000))
                let refused = try await client.post(large)
                #expect(refused.status == .unprocessableContent)
                #expect(try refused.problem()["code"] == "script_required")
            }
            #expect(try await site.tmpKeys().isEmpty)
        }
    }

    @Test func `as many forms as are allowed come at a time, and one more is asked to come again`() async throws {
        try await withSite(configure: { $0.streamedForms = 1 }) { site async throws in
            let body = HeldBody()
            let first = Task { try await site.intake(fields: [TestSite.documents]).take(body) }
            try await body.beginning(of: "documents", filename: "a.txt")
            var form = MultipartPost()
            form.file("documents", "b.txt", "bytes")
            let post = form
            try await site.app().test(.router) { client async throws in
                let busy = try await client.post(post)
                #expect(busy.status == .serviceUnavailable)
                #expect(busy.headers[.retryAfter] != nil)
                #expect(try busy.problem()["code"] == "busy")
                // Forms that bring keys take no such place.
                let (drawn, file) = try await site.drawnWithFile()
                #expect(try await client.post(drawn.post([file])).status == .ok)
                body.end()
                guard case .taken = try await first.value else {
                    Issue.record("the first form was refused")
                    return
                }
                #expect(try await client.post(post).status == .ok)
            }
        }
    }
}
