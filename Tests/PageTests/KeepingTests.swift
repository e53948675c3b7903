import Foundation
import S3
import S3File
import TestEnvironment
import Testing

extension PageTests {
    /// That what was uploaded once need not be uploaded again.
    @Suite("What is kept", .sharedPage)
    struct KeepingTests {
        @Test(
            "a form that comes back with another error still has its files, each with a button to remove it, and uploads nothing again"
        )
        func formError() async throws {
            try await GalleryPage.shared { page, folder in
                let files = try ["a.txt", "b.txt"].map { try SampleFile($0, in: folder, text: $0).url }
                try await page.choose(files, in: "documents")
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.browser.element("#caption").type(String(repeating: "long ", count: 20))
                try await page.submit()
                let notice = try await page.browser.element(".notice").text
                #expect(notice.contains("The caption is too long"))
                try await page.listen()
                try await eventually("the kept files are rows") {
                    try await page.browser.elements(".s3file-kept .s3file-remove").count == 3
                }
                #expect(
                    try await page.rows().map { $0.text.contains("Uploaded") && $0.state == "uploaded" } == [true, true, true]
                )
                #expect(try await page.browser.elements(".s3file-kept label").isEmpty)

                // Another picture in place of the kept one, and that one back again.
                try await page.choose([try SampleFile.picture("other.png", in: folder).url], in: "avatar")
                #expect(try await page.row(in: "chosen").contains("other.png"))
                try await page.browser.element("button[aria-label='Remove other.png']").click()
                try await page.browser.element("button[aria-label='Remove a.txt']").click()
                #expect(try await page.browser.focus == "Remove b.txt")
                try await page.browser.run("document.querySelector('#caption').value = 'short'")
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["b.txt", "holiday.png"])
            }
        }

        @Test("a policy that has run out is renewed before a byte is sent")
        func expiredPolicy() async throws {
            try await GalleryPage.shared { page, folder in
                let signature = "return document.querySelector('#documents').getAttribute('data-fields-x-amz-signature')"
                try await page.browser.run(
                    "const input = document.querySelector('#documents'); input.dataset.s3fExpires = '2020-01-01T00:00:00Z'; input.setAttribute('data-fields-x-amz-signature', '00')"
                )
                try await page.listen()
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "renewed").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                // The old one was not tried.
                let posts =
                    "return String(performance.getEntriesByType('resource').filter(({ name, initiatorType }) => initiatorType === 'xmlhttprequest' && name.startsWith(document.querySelector('#documents').dataset.url)).length)"
                #expect(try await page.browser.run(posts) == "1")
                #expect(try await page.browser.run(signature)?.wholeMatch(of: /[0-9a-f]{64}/) != nil)
                #expect(try await page.events() == ["start notes.txt", "uploaded notes.txt"])
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test("a policy that S3 refuses is renewed once in a try; when that does not help, the person is told")
        func refusedPolicy() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run(
                    """
                    document.querySelector('#documents').setAttribute('data-fields-x-amz-signature', '00')
                    const send = window.fetch
                    window.asked = 0
                    window.fetch = (url, ...more) => (String(url).endsWith('/inputs') && asked++, send(url, ...more))
                    """
                )
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "renewed").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                let asked = "return String(asked)"
                #expect(try await page.browser.run(asked) == "1")

                // The page was open for a week: there is no fresh policy either.
                try await page.browser.run(
                    "const input = document.querySelector('#avatar'); input.setAttribute('data-fields-x-amz-signature', '00'); input.dataset.s3fSignature = 'over'"
                )
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.submit()
                #expect(try await page.row(in: "error").contains("Please tell the people who run it."))
                #expect(try await page.browser.run(asked) == "2")
            }
        }

        @Test("what comes in place of a fresh policy and is none leaves the input the one that it has")
        func strangePolicy() async throws {
            try await GalleryPage.shared { page, folder in
                // As an app may answer with a good status whose session has ended. The policy is taken for one that has run out.
                try await page.browser.run(
                    """
                    document.querySelector('#documents').dataset.s3fExpires = '2020-01-01T00:00:00Z'
                    const send = window.fetch
                    window.asked = 0
                    window.fetch = (url, ...more) => {
                        if (!String(url).endsWith('/inputs')) return send(url, ...more)
                        asked++
                        return Promise.resolve(new Response('{}'))
                    }
                    """
                )
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "as before").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                #expect(try await page.browser.run("return String(asked)") == "1")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test("a ticket that ended is exchanged for another, and what was uploaded under the old one is uploaded again")
        func endedTicket() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("before.txt", in: folder, text: "before").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.age("documents", by: 86_400)
                try await page.browser.run(
                    """
                    sessionStorage.starts = ''
                    document.addEventListener('s3file:start', ({ detail }) => { sessionStorage.starts += detail.name + ' ' })
                    """
                )
                // As a drop or a paste adds it: the files that are there stay the same.
                try await page.browser.run(
                    """
                    const input = document.querySelector('#documents'), both = new DataTransfer()
                    for (const file of [...input.files, new File(['after'], 'after.txt')]) both.items.add(file)
                    input.files = both.files
                    input.dispatchEvent(new Event('change', { bubbles: true }))
                    """
                )
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["after.txt", "before.txt"])
                let starts = try await page.browser.run("return sessionStorage.starts") ?? ""
                #expect(starts.split(separator: " ").sorted() == ["after.txt", "before.txt"])
            }
        }

        @Test("a page that is left open with its files uploaded, until its ticket has ended, is sent all the same")
        func endedBeforeSubmit() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "patience").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                // The next day.
                try await page.age("documents", by: 86_400)
                try await page.browser.run("const now = Date.now; Date.now = () => now() + 86_400_000")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test("a file that is on its way when its ticket is exchanged goes again under the new one")
        func endedOnTheWay() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.limitUpload(bytesPerSecond: 500_000)
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 2_000_000)
                try await page.choose([film], in: "documents")
                _ = try await page.row(in: "uploading")
                try await page.age("documents", by: 86_400)
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "second").url], in: "documents")
                try await eventually("the second renews it") { try await page.rows().contains { $0.state == "uploaded" } }
                try await page.browser.limitUpload(bytesPerSecond: nil)
                try await eventually("both are there") { try await page.rows().map(\.state) == ["uploaded", "uploaded"] }
                let folders = try await page.browser.run(
                    "return [...new FormData(document.querySelector('form')).getAll('documents'), document.querySelector('#documents').getAttribute('data-fields-key')].map((key) => key.split('/').slice(0, -1).join('/')).join(' ')"
                )
                #expect(Set(try #require(folders).split(separator: " ")).count == 1, "\(folders ?? "")")
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["film.mp4", "notes.txt"])
            }
        }

        @Test("a ticket that ended more than a week ago is exchanged no more, and the person is told to reload the page")
        func longEndedTicket() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.age("documents", by: 9 * 86_400)
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "late").url], in: "documents")
                try await page.submit()
                #expect(try await page.row(in: "error").contains("This page was open for too long. Reload it"))
            }
        }

        @Test("a long file is sent in parts; after a reload it goes on where it was, and arrives byte for byte")
        func resumed() async throws {
            try await GalleryPage.shared { page, folder in
                // Two whole parts and a rest.
                let bytes = Data((0..<13_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
                let film = try SampleFile("film.mp4", in: folder, bytes: bytes)
                let shorten = "document.querySelector('#documents').dataset.s3fMultipartAbove = 1000"
                // Also those that were cut off.
                let parts =
                    "return performance.getEntriesByType('resource').map(({ name }) => new URL(name).searchParams.get('partNumber')).filter(Boolean).sort().join()"
                try await page.browser.run(shorten)
                try await page.setFaults("unavailable operation=UploadPart every=2")
                try await page.choose([film.url], in: "documents")
                _ = try await page.row(in: "retrying")
                try await page.browser.setOffline(true)
                try await page.browser.setOffline(false)
                try await page.openForm()
                try await page.setFaults("")
                try await page.browser.run(shorten)
                try await page.choose([film.url], in: "documents")
                _ = try await page.row(in: "uploaded")
                let sent = try await page.browser.run(parts) ?? ""
                // Of three there was one at least.
                #expect((1...2).contains(Set(sent.split(separator: ",")).count), "\(sent)")
                try await page.submit()
                let stored = try await page.stored(1)
                #expect(stored.map(\.name) == ["film.mp4"])
                #expect(try await page.bytes(at: stored[0].link) == bytes)
            }
        }

        @Test("another person at the same computer begins a long file anew")
        func notResumedByAnother() async throws {
            try await GalleryPage.shared { page, folder in
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 13_000_000)
                let shorten = "document.querySelector('#documents').dataset.s3fMultipartAbove = 1000"
                try await page.browser.run(shorten)
                try await page.setFaults("unavailable operation=UploadPart every=2")
                try await page.choose([film], in: "documents")
                _ = try await page.row(in: "retrying")
                #expect(try await page.browser.run("return String(localStorage.length)") == "1")
                try await page.setFaults("")
                try await page.browser.forgetVisitor()
                try await page.openForm()
                #expect(try await page.browser.run("return String(localStorage.length)") == "1")
                try await page.browser.run(shorten)
                try await page.choose([film], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["film.mp4"])
            }
        }

        @Test(
            "a long file does not count as uploaded where a session has ended; the person is told what to do, and then it is uploaded",
            arguments: zip(
                ["return 302 /login;", "return 401;", "return 200 '{}';"],
                [
                    "This page was open for too long. Reload it and choose the file again.",
                    "This page was open for too long. Reload it and choose the file again.",
                    "The connection to the file storage failed. Check your network and try again.",
                ]
            )
        )
        func endedSession(answer: String, sentence: String) async throws {
            try await GalleryPage.shared { page, folder in
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 6_000_000)
                try await page.behindLogin(["/s3file/multipart": "if ($cookie_ended) { \(answer) }"]) {
                    try await page.browser.run("document.querySelector('#documents').dataset.s3fMultipartAbove = 1000")
                    try await page.setSession(ended: "yes")
                    try await page.choose([film], in: "documents")
                    let text = try await page.row(in: "error", within: .seconds(30))
                    #expect(text.contains(sentence), "\(text)")
                    try await page.setSession(ended: nil)
                    try await page.browser.element(".s3file-again").click()
                    _ = try await page.row(in: "uploaded")
                    let key = try await page.browser.run("return new FormData(document.querySelector('form')).get('documents')")
                    #expect(key?.hasPrefix("tmp/s3file/") == true, "\(key ?? "")")
                }
            }
        }

        @Test("a session that ends before the parts of a long file are put together costs none of them")
        func endedSessionBeforeComplete() async throws {
            try await GalleryPage.shared { page, folder in
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 6_000_000)
                let rules = [
                    "/s3file/multipart/complete": "if ($cookie_ended) { return 302 /login; }",
                    "/s3file/multipart": "if ($cookie_ended = limited) { return 429; }",
                ]
                try await page.behindLogin(rules) {
                    try await page.browser.run(
                        """
                        document.querySelector('#documents').dataset.s3fMultipartAbove = 1000
                        const { open } = XMLHttpRequest.prototype
                        window.parts = 0
                        XMLHttpRequest.prototype.open = function (method, ...more) {
                            if (method === 'PUT') parts++
                            return open.call(this, method, ...more)
                        }
                        """
                    )
                    let kept = "return String(localStorage.length)"
                    try await page.setSession(ended: "yes")
                    try await page.choose([film], in: "documents")
                    let text = try await page.row(in: "error", within: .seconds(30))
                    #expect(text.contains("This page was open for too long."), "\(text)")
                    #expect(try await page.browser.run(kept) == "1")
                    // Nor is it forgotten for what anybody but the app's own server refuses.
                    try await page.setSession(ended: "limited")
                    try await page.browser.element(".s3file-again").click()
                    _ = try await page.row(in: "error", within: .seconds(30))
                    #expect(try await page.browser.run(kept) == "1")
                    try await page.setSession(ended: nil)
                    try await page.browser.element(".s3file-again").click()
                    _ = try await page.row(in: "uploaded")
                    #expect(try await page.browser.run("return String(parts)") == "1")
                    #expect(try await page.browser.run(kept) == "0")
                }
            }
        }

        @Test("a long file that is cancelled leaves nothing behind in the storage")
        func cancelledParts() async throws {
            try await GalleryPage.shared { page, folder in
                // What others have begun and left.
                let before = try await page.unfinishedUploads()
                try await page.browser.run("document.querySelector('#documents').dataset.s3fMultipartAbove = 1000")
                try await page.browser.limitUpload(bytesPerSecond: 2_000_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 13_000_000)], in: "documents")
                try await eventually("some of it has gone") { try await page.row(in: "uploading").contains(" of 13 MB") }
                #expect(try await page.unfinishedUploads() == before + 1)
                try await page.browser.element("button[aria-label='Cancel film.mp4']").click()
                try await page.browser.limitUpload(bytesPerSecond: nil)
                try await eventually("it is aborted") { try await page.unfinishedUploads() == before }
                #expect(try await page.browser.run("return String(localStorage.length)") == "0")
            }
        }
    }
}

extension GalleryPage {
    /// Makes the page's input one that was drawn so many seconds ago: its ticket is signed with earlier times, and so is its policy.
    func age(_ field: String, by seconds: TimeInterval) async throws {
        let input = "document.querySelector('#\(field)')"
        let keys = try SigningKeys(secrets: [SharedPage.secret])
        let token = try await self.browser.run("return \(input).dataset.s3fSignature") ?? ""
        var ticket = try Ticket.read(token, keys: keys, now: Date())
        ticket.issuedAt -= seconds
        ticket.expiresAt -= seconds
        let (end, folder) = (ticket.issuedAt.addingTimeInterval(3600), ticket.folder)
        let fields = try await self.withStorage { client, bucket in
            let policy = PostPolicy(
                bucket: bucket,
                key: .startsWith("\(folder)/"),
                contentLength: 0...1_000_000,
                expiration: end
            )
            return Dictionary(try await client.presignedPost(policy, now: end).fields.map { ($0.name, $0.value) }) { $1 }
        }
        let json = String(decoding: try JSONEncoder().encode(fields), as: UTF8.self)
        try await self.browser.run(
            """
            const input = \(input), fields = \(json)
            for (const { name } of [...input.attributes]) if (name.startsWith('data-fields-')) input.removeAttribute(name)
            for (const name in fields) input.setAttribute('data-fields-' + name, fields[name])
            input.dataset.s3fSignature = '\(try ticket.signed(with: keys))'
            input.dataset.s3fExpires = '\(end.ISO8601Format())'
            input.dataset.s3fEnds = '\(ticket.expiresAt.ISO8601Format())'
            """
        )
    }

    /// The page at `path` behind an nginx that has a login, at `/login`, and at an address first follows the rule for it.
    func behindLogin(
        _ rules: [String: String],
        at path: String = "/",
        _ body: @Sendable () async throws -> Void
    ) async throws {
        let port = try self.port
        let locations = rules.map { address, rule in
            "location = \(address) { \(rule) proxy_pass http://127.0.0.1:\(port); }"
        }
        let server = """
            proxy_set_header Host $http_host;
            location = /login { default_type text/html; return 200 '<!doctype html><title>Log in</title>'; }
            \(locations.joined(separator: "\n"))
            """
        try await Nginx.with(toPort: port, server: server) { own in
            try await self.browser.open("http://127.0.0.1:\(own)\(path)")
            try await body()
        }
    }

    /// What a rule of ``behindLogin(_:at:_:)`` finds as `$cookie_ended`; with `nil` nothing.
    func setSession(ended: String?) async throws {
        try await self.browser.run("document.cookie = 'ended=\(ended ?? ""); path=/; max-age=\(ended == nil ? 0 : 600)'")
    }

    /// Uploads in parts that are neither completed nor aborted.
    func unfinishedUploads() async throws -> Int {
        try await self.withStorage { client, bucket in
            try await client.listMultipartUploads(bucket: bucket, prefix: "tmp/").uploads.count
        }
    }
}
