import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Postgres
import S3File
import S3FileHummingbird
import TestEnvironment
import Testing

@Suite("The middleware, when it takes a form")
struct S3FileMiddlewareTests {
    @Test("the handler gets uploads with final ids and keys, in the form's order, and they are released when it answers")
    func enqueued() async throws {
        try await withSite { site async throws in
            let avatar = try await site.draw(TestSite.avatar)
            let documents = try await site.draw(TestSite.documents)
            let names = ["100%.txt", "a%20b.txt", "ünï 文.txt"]
            try await site.put(avatar.folder + "/me", text: "GIF89a…", contentType: "image/png")
            for index in names.indices { try await site.put("\(documents.folder)/\(index)", size: index) }
            let form =
                documents.post(names.indices.map { ("\(documents.folder)/\($0)", names[$0]) })
                + avatar.post([(avatar.folder + "/me", "me.png")])
            try await site.app(handler: { _, context async throws in
                #expect(try await site.rows() == ["held", "held", "held", "held"], "nothing moves while the handler runs")
                return TestSite.list(context)
            }).test(.router) { client async throws in
                let response = try await client.post(form)
                #expect(response.status == .ok)
                let lines = response.text.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
                #expect(lines.map { $0[0] } == ["avatar", "documents", "documents", "documents"])
                #expect(lines.map { $0[4] } == ["me.png"] + names)
                #expect(lines[0][2] == "avatars/me.png")
                for line in lines {
                    let id = try #require(UUID(uuidString: line[1]))
                    #expect(try await site.uploads.upload(id)?.key == line[2])
                    #expect(site.uploads.isValid(statusToken: line[3], for: id))
                }
            }
            #expect(try await site.rows() == ["queued", "queued", "queued", "queued"])
        }
    }

    @Test("the handler reads the same bytes that were posted")
    func replay() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            let form = drawn.post([file]) + [("text", "a+b %zz \u{0}é")]
            try await site.app(handler: { request, _ in
                Response(status: .ok, body: .init(byteBuffer: try await request.body.collect(upTo: 100_000)))
            }).test(.router) { client async throws in
                #expect(try await client.post(form).text == encodeForm(form))
            }
        }
    }

    @Test("when the handler answers 400 or above, the files are cancelled, and the same form can be posted again")
    func refusedByHandler() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app(handler: { request, context in
                let body = String(buffer: try await request.body.collect(upTo: 100_000))
                return body.contains("fail") ? Response(status: .unprocessableContent) : TestSite.list(context)
            }).test(.router) { client async throws in
                #expect(try await client.post(drawn.post([file]) + [("fail", "1")]).status == .unprocessableContent)
                #expect(try await site.rows() == ["cancelled"])
                #expect(try await client.post(drawn.post([file])).status == .ok)
                #expect(try await site.rows() == ["queued"])
                #expect(try await client.post(drawn.post([file]) + [("fail", "1")]).status == .unprocessableContent)
                #expect(try await site.rows() == ["queued"], "what an earlier post released stays")
            }
        }
    }

    @Test("when the handler throws, the files are cancelled and the error goes on")
    func thrownByHandler() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app(handler: { _, _ in throw HTTPError(.conflict) }).test(.router) { client async throws in
                #expect(try await client.post(drawn.post([file])).status == .conflict)
                #expect(try await site.rows() == ["cancelled"])
            }
        }
    }

    @Test("the same form posted twice is the same upload, and another user's post of it is refused")
    func repeated() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app().test(.router) { client async throws in
                let first = try await client.post(drawn.post([file]))
                let second = try await client.post(drawn.post([file]))
                #expect(first.text == second.text)
                #expect(try await site.rows() == ["queued"])
                let other = try await client.post(drawn.post([file]), headers: [TestSite.user: "eve"])
                #expect(other.status == .forbidden)
                #expect(try await site.rows() == ["queued"])
            }
        }
    }

    @Test("manual mode verifies and leaves the enqueueing to the handler")
    func manual() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app(
                mode: .manual,
                handler: { _, context async throws in
                    #expect(context.uploads.all.isEmpty)
                    #expect(try await site.rows().isEmpty)
                    let uploads = try await site.uploads.enqueue(context.uploads.promises["documents"] ?? [])
                    return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: uploads.first?.filename ?? "")))
                }
            ).test(.router) { client async throws in
                #expect(try await client.post(drawn.post([file])).text == "x.txt")
                #expect(try await site.rows() == ["queued"])
            }
        }
    }

    @Test("a form without files, and a body that is no form, reach the handler")
    func withoutFiles() async throws {
        try await withSite { site async throws in
            let drawn = try await site.draw(TestSite.documents)
            try await site.app().test(.router) { client async throws in
                #expect(try await client.post([("text", "hello"), ("documents", "")]).status == .ok)
                #expect(try await client.post(drawn.post([])).status == .ok)
                let json = try await client.post([("s3file", "nonsense")], headers: [.contentType: "application/json"])
                #expect(json.status == .ok)
                #expect(try await site.rows().isEmpty)
            }
        }
    }

    @Test("PUT is looked at as POST is")
    func put() async throws {
        try await withSite { site async throws in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app().test(.router) { client async throws in
                #expect(try await client.post(drawn.post([file]), method: .put).status == .ok)
                #expect(try await site.rows() == ["queued"])
            }
        }
    }
}
