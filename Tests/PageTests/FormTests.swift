import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// How a form is sent: once, by whoever was pressed, to where that one says.
    @Suite("The form", .sharedPage)
    struct FormTests {
        @Test("a double click uploads once and sends once")
        func doubleClick() async throws {
            try await GalleryPage.shared { page, folder in
                let file = try SampleFile("notes.txt", in: folder, text: "once")
                try await page.choose([file.url], in: "documents")
                try await page.browser.doubleClick(page.browser.element("form button[type=submit]"))
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
                try await page.openForm()
                try await page.browser.open(page.installation.address + "/uploads")
                #expect(try await page.stored(1).count == 1)
            }
        }

        @Test("a double click on a form whose files are there already sends once")
        func doubleClickWhenUploaded() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run(
                    "window.sent = 0; document.querySelector('form').addEventListener('submit', (event) => { sent++; event.preventDefault() })"
                )
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "once").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.browser.doubleClick(page.browser.element("form button[type=submit]"))
                #expect(try await page.browser.run("return String(sent)") == "1")
            }
        }

        @Test("a click that was blocked, and then another button: only the second is sent, to its formaction")
        func blockedThenOther() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.addButton(page)
                let wrong = try SampleFile("notes.txt", in: folder, text: "no picture")
                try await page.choose([wrong.url], in: "avatar")
                try await page.submit()
                #expect(try await page.browser.url.hasSuffix("/"))
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.browser.element("button[value=other]").click()
                try await eventually("the other button's address") { try await page.browser.url.contains("/elsewhere") }
                #expect(try await page.browser.url.hasSuffix("/elsewhere"))
            }
        }

        @Test("the button that was pressed goes with the form, and only that")
        func submitter() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.addButton(page)
                try await Self.keepData(page)
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.browser.element("button[value=other]").click()
                let data = try await Self.data(page)
                #expect(data.filter { $0.hasPrefix("action=") } == ["action=other"])
                #expect(data.filter { $0.hasPrefix("s3file=") }.sorted() == ["s3file=avatar", "s3file=documents"])
                #expect(data.filter { $0.hasPrefix("avatar=tmp/s3file/") }.count == 1)
                #expect(data.contains("avatar-s3f-name=holiday.png"))
                #expect(data.filter { $0.hasPrefix("documents-s3f-signature=") }.count == 1)
                #expect(!data.contains { $0.hasPrefix("documents=") })
            }
        }

        @Test("a button with formmethod=get sends what browsers send, and uploads nothing")
        func formMethod() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                try await Self.addButton(page, attributes: "other.formMethod = 'get'")
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await Self.keepData(page)
                try await page.browser.element("button[value=other]").click()
                #expect(try await Self.data(page).contains("avatar=holiday.png"))
                #expect(try await page.events().isEmpty)
            }
        }

        @Test("an input outside of its form goes with it by its form attribute")
        func formAttribute() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run(
                    """
                    const [form, input] = [document.querySelector('form'), document.querySelector('#documents')]
                    form.id = 'card'
                    input.setAttribute('form', 'card')
                    document.querySelector('main').append(input)
                    """
                )
                try await page.choose([try SampleFile("outside.txt", in: folder, text: "outside").url], in: "documents")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["outside.txt"])
            }
        }

        @Test("an input that is added later works, with a policy and a key of its own")
        func addedLater() async throws {
            try await GalleryPage.shared { page, folder in
                // As pages with rows do: the server draws another input, and the page puts it in.
                _ = try await page.browser.runUntilDone(
                    """
                    fetch('/').then((response) => response.text()).then((html) => {
                        const input = new DOMParser().parseFromString(html, 'text/html').querySelector('#documents')
                        input.id = 'later'
                        document.querySelector('form').prepend(input)
                        done('')
                    })
                    """
                )
                try await page.browser.element("#documents").choose([try SampleFile("first.txt", in: folder, text: "first").url])
                try await page.browser.element("#later").choose([try SampleFile("later.txt", in: folder, text: "later").url])
                #expect(try await page.rows().map { $0.text.prefix { $0 != "\n" } }.sorted() == ["first.txt", "later.txt"])
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["first.txt", "later.txt"])
            }
        }

        @Test("the page's own listener sees one submit, the one that carries the keys, and may send it by itself")
        func ownListener() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run(
                    """
                    window.seen = []
                    document.querySelector('form').addEventListener('submit', (event) => {
                        event.preventDefault()
                        seen.push(new FormData(event.target, event.submitter).get('avatar'))
                    })
                    """
                )
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.submit()
                _ = try await page.row(in: "uploaded")
                let seen = try await eventually { () -> String? in
                    let seen = try await page.browser.run("return seen.join(' ')") ?? ""
                    return seen.isEmpty ? nil : seen
                }
                #expect(seen.hasPrefix("tmp/s3file/") && !seen.contains(" "))
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == nil)
            }
        }

        @Test("a form without a method, which a script of the page sends, brings keys as well, and no file goes through the app")
        func noMethod() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run("document.querySelector('form').removeAttribute('method')")
                try await Self.keepData(page)
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.submit()
                let data = try await Self.data(page)
                #expect(data.filter { $0.hasPrefix("avatar=") }.allSatisfy { $0.hasPrefix("avatar=tmp/s3file/") }, "\(data)")
                #expect(data.contains("avatar-s3f-name=holiday.png"))
            }
        }

        @Test("two tabs of one visitor upload at once, and each form brings its own files")
        func twoTabs() async throws {
            try await GalleryPage.shared { page, folder in
                let first = try await page.browser.tab
                try await page.choose([try SampleFile("one.txt", in: folder, text: "one").url], in: "documents")
                try await page.browser.openTab()
                let second = try await page.browser.tab
                try await page.openForm()
                try await page.choose([try SampleFile("two.txt", in: folder, text: "two").url], in: "documents")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["two.txt"])
                try await page.browser.show(tab: first)
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["one.txt", "two.txt"])
                try await page.browser.show(tab: second)
                try await page.browser.closeTab()
                try await page.browser.show(tab: first)
            }
        }

        @Test("coming back by the back button, the form can be sent again, and stores nothing twice")
        func backForwardCache() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run("addEventListener('pageshow', (event) => { window.wasCached = event.persisted })")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "again").url], in: "documents")
                try await page.submit()
                #expect(try await page.stored(1).count == 1)
                try await page.browser.goBack()
                try await eventually("the form is back") { try await !page.browser.elements("form button[type=submit]").isEmpty }
                // From the cache the row is there with its key.
                #expect(try await page.browser.run("return String(window.wasCached)") == "true")
                _ = try await page.browser.element("li.s3file-file[data-state=uploaded]")
                try await page.submit()
                _ = try await page.stored(1)
            }
        }

        // MARK: Stand-ins

        /// A second button, as forms have it that save a draft.
        private static func addButton(_ page: GalleryPage, attributes: String = "") async throws {
            try await page.browser.run(
                """
                const other = Object.assign(document.createElement('button'), { name: 'action', value: 'other', textContent: 'Other' })
                other.formAction = '/elsewhere'
                \(attributes)
                document.querySelector('.actions').append(other)
                """
            )
        }

        /// Lets the form not leave the page, and keeps what it would have sent.
        private static func keepData(_ page: GalleryPage) async throws {
            try await page.browser.run(
                """
                addEventListener('submit', (event) => {
                    event.preventDefault()
                    const data = new FormData(event.target, event.submitter)
                    window.data = [...data].map(([name, value]) => `${name}=${value.name ?? value}`).join('\\n')
                })
                """
            )
        }

        private static func data(_ page: GalleryPage) async throws -> [String] {
            try await eventually {
                try await page.browser.run("return window.data")?.split(separator: "\n").map(String.init)
            }
        }
    }
}
