import Foundation
import S3
import TestEnvironment
import Testing

extension PageTests {
    /// What `<s3file-status>` shows, however many there are, whatever is between the page and the server, and for however long it is open.
    @Suite("The status in a page", .sharedPage)
    struct StatusPageTests {
        @Test("more uploads than one question has room for all show soon how they stand, while the first still wait")
        func many() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt", "b.txt"], page, folder)
                // A hundred of the one before the other.
                try await page.browser.run(
                    """
                    const list = document.querySelector('.uploads')
                    const [first, second] = [...list.querySelectorAll('s3file-status')].map((element) => element.getAttribute('src'))
                    window.opened = []
                    const send = window.fetch
                    window.fetch = (url, ...more) => (opened.push(String(url).length), send(url, ...more))
                    list.replaceChildren(...Array.from({ length: 120 }, (_, index) => {
                        const element = document.createElement('s3file-status')
                        element.setAttribute('src', index < 100 ? first : second)
                        return element
                    }))
                    """
                )
                try await eventually("none is blank", within: .seconds(10)) {
                    try await page.browser.run(
                        "return String([...document.querySelectorAll('s3file-status')].every(({ textContent }) => textContent))"
                    ) == "true"
                }
                #expect(try await page.browser.run("return String(Math.max(...opened) < 8000)") == "true")
                try await page.setFaults("")
                try await eventually("all are told the end", within: .seconds(60)) { try await Self.states(page) == ["stored"] }
            }
        }

        @Test("a proxy that takes short addresses only is asked in shorter ones")
        func shortAddresses() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                try await Nginx.with(
                    toPort: try page.port,
                    server: "client_header_buffer_size 1k; large_client_header_buffers 16 1k;"
                ) { port in
                    try await page.browser.open("http://127.0.0.1:\(port)/uploads")
                    try await page.browser.run(
                        """
                        const element = document.querySelector('s3file-status')
                        for (let count = 0; count < 20; count++) element.after(element.cloneNode())
                        """
                    )
                    try await page.setFaults("")
                    try await eventually("all are told the end", within: .seconds(60)) {
                        try await Self.states(page) == ["stored"]
                    }
                }
            }
        }

        @Test("an upload that failed says so in its own words, also on a page where files were sent")
        func failed() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                let source = try await page.browser.element("s3file-status").attribute("src") ?? ""
                try await page.withStorage { client, bucket in
                    let objects = try await client.listObjects(bucket: bucket, prefix: "tmp/").objects
                    _ = try await client.deleteObjects(bucket: bucket, objects.map { S3ObjectIdentifier(key: $0.key) })
                }
                try await page.setFaults("")
                // Where the words for files on their way are known, too.
                try await page.openForm()
                try await page.choose([try SampleFile("b.txt", in: folder, text: "b").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.browser.run(
                    "const element = document.createElement('s3file-status'); element.setAttribute('src', '\(source)'); document.querySelector('main').append(element)"
                )
                let state = "s3file-status[data-state=failed] .s3file-state"
                let text = try await page.browser.element(state, within: .seconds(60)).text
                #expect(text.hasPrefix("Needs attention: ") && !text.contains("undefined"), "\(text)")
            }
        }

        @Test("an upload that may not be seen says so beside others, and in place of what the server drew")
        func unknown() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                try await page.browser.run(
                    """
                    const element = document.querySelector('s3file-status')
                    const other = document.createElement('s3file-status')
                    other.setAttribute('src', element.getAttribute('src').replace(/token=.*/, 'token=x'))
                    other.textContent = 'drawn by the server'
                    // With an id of its own.
                    other.setAttribute('src', other.getAttribute('src').replace(/[0-9a-f]{12}[?]/, '000000000000?'))
                    element.before(other)
                    """
                )
                let text = try await page.browser.element("s3file-status[data-state=unknown]").text
                #expect(text == "This upload cannot be shown. Reload the page.")
                try await page.setFaults("")
                _ = try await page.browser.element("s3file-status[data-state=stored]")
            }
        }

        @Test("an element that goes before anything was asked leaves nothing open, and one that is given another src shows that")
        func comesAndGoes() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt", "b.txt"], page, folder)
                try await page.browser.run(
                    "sessionStorage.sources = [...document.querySelectorAll('s3file-status')].map((element) => element.getAttribute('src')).join(' ')"
                )
                try await page.openForm()
                // The module is not there yet.
                try await page.browser.run(
                    """
                    window.sources = []
                    window.EventSource = class extends EventSource {
                        constructor(url) { super(url); sources.push(this) }
                    }
                    const element = document.createElement('s3file-status')
                    element.setAttribute('src', sessionStorage.sources.split(' ')[0])
                    document.querySelector('main').append(element)
                    element.remove()
                    """
                )
                try await eventually("the module is there") {
                    try await page.browser.run(
                        "return String(performance.getEntriesByType('resource').some(({ name }) => name.includes('s3file-status.js')))"
                    ) == "true"
                }
                #expect(try await page.browser.runUntilDone("setTimeout(() => done(String(sources.length)), 200)") == "0")

                try await page.browser.run(
                    """
                    window.element = document.createElement('s3file-status')
                    element.setAttribute('src', sessionStorage.sources.split(' ')[0])
                    document.querySelector('main').append(element)
                    """
                )
                try await eventually("the one") { try await page.browser.element("s3file-status").text.contains("a.txt") }
                try await page.browser.run("element.setAttribute('src', sessionStorage.sources.split(' ')[1])")
                try await eventually("the other") { try await page.browser.element("s3file-status").text.contains("b.txt") }
                let open = "return String(sources.filter(({ readyState }) => readyState !== 2).length)"
                #expect(try await page.browser.run(open) == "1")
                try await page.browser.run("element.remove()")
                #expect(try await page.browser.run(open) == "0")
            }
        }

        @Test("the link of a stored file is drawn anew before its hour is over")
        func freshLink() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "for long").url], in: "documents")
                try await page.submit()
                let first = try await page.stored(1)[0].link
                // Signatures tell the second.
                try await eventually("a link from later") {
                    try await page.browser.run(
                        "const now = Date.now; Date.now = () => now() + 3_000_000; document.dispatchEvent(new Event('visibilitychange')); return ''"
                    )
                    return try await page.stored(1)[0].link != first
                }
                #expect(String(decoding: try await page.bytes(at: try await page.stored(1)[0].link), as: UTF8.self) == "for long")
            }
        }

        @Test("behind a proxy that holds events back every upload of a long page shows how it stands, and its end")
        func bufferingProxy() async throws {
            try await GalleryPage.with(workerAfter: "go") { page, folder in
                for form in 0..<4 {
                    let files = try (0..<10).map { try SampleFile("\(form)-\($0).txt", in: folder, text: "x").url }
                    try await page.choose(files, in: "documents")
                    try await page.submit()
                    try await eventually("they are sent") { try await page.browser.url.contains("/uploads") }
                    try await page.openForm()
                }
                try await Nginx.with(toPort: try page.port, settings: "proxy_ignore_headers X-Accel-Buffering;") { port in
                    try await page.browser.open("http://127.0.0.1:\(port)/uploads")
                    #expect(try await page.browser.elements("s3file-status").count == 40)
                    try await eventually("all are told how they stand", within: .seconds(30)) {
                        try await page.browser.elements("s3file-status[data-state=queued]").count == 40
                    }
                    try Data().write(to: folder.appendingPathComponent("go"))
                    try await eventually("all are told the end", within: .seconds(60)) {
                        try await page.browser.elements("s3file-status[data-state=stored]").count == 40
                    }
                }
            }
        }

        @Test("a stream that has gone silent is left for questions")
        func silence() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                try await page.browser.run(
                    """
                    // Begins as a stream does, promises a sign of life within a second, and is cut off without a word.
                    window.EventSource = class extends EventTarget {
                        static CLOSED = 2
                        readyState = 1
                        constructor(url) {
                            super()
                            const id = new URL(url).searchParams.get('upload').split('.')[0]
                            const data = JSON.stringify({ id, status: 'queued', filename: 'a.txt', size: 5, attempt: 0 })
                            setTimeout(() => {
                                this.dispatchEvent(new MessageEvent('status', { data }))
                                this.dispatchEvent(new MessageEvent('beat', { data: '1' }))
                            })
                        }
                        close() { this.readyState = 2 }
                    }
                    const element = document.querySelector('s3file-status')
                    element.replaceWith(element.cloneNode())
                    """
                )
                _ = try await page.browser.element("s3file-status[data-state=queued]")
                try await page.setFaults("")
                try await eventually("it asks", within: .seconds(30)) { try await Self.states(page) == ["stored"] }
            }
        }

        @Test("where a session has ended no upload looks as if it still waited: the page says to reload it")
        func endedSession() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                try await page.setSession(ended: "yes")
                let rule = "if ($cookie_ended) { return 302 /login; }"
                try await page.behindLogin(["/s3file/uploads": rule, "/s3file/events": rule], at: "/uploads") {
                    let text = try await page.browser.element("s3file-status[data-state=unknown]").text
                    #expect(text == "This upload cannot be shown. Reload the page.")
                }
                try await page.setFaults("")
            }
        }

        @Test("what something else answers in the server's place is no news of an upload, and the page goes on asking")
        func strangeAnswer() async throws {
            try await GalleryPage.shared { page, folder in
                try await Self.sendUnmoved(["a.txt"], page, folder)
                try await page.setSession(ended: "yes")
                let rule = "if ($cookie_ended) { return 200 '{}'; }"
                try await page.behindLogin(["/s3file/uploads": rule, "/s3file/events": rule], at: "/uploads") {
                    try await eventually("it has asked") {
                        try await page.browser.run(
                            "return String(performance.getEntriesByType('resource').some(({ name }) => name.includes('/s3file/uploads?')))"
                        ) == "true"
                    }
                    try await page.setSession(ended: nil)
                    // The server drew the element without them.
                    _ = try await page.browser.element("s3file-status[data-state] .s3file-steps", within: .seconds(30))
                }
                try await page.setFaults("")
            }
        }

        // MARK: Stand-ins

        /// Sends files by the form while no worker can move them, and stays at the page that shows them.
        private static func sendUnmoved(_ names: [String], _ page: GalleryPage, _ folder: URL) async throws {
            try await page.setFaults("unavailable operation=CopyObject")
            try await page.choose(try names.map { try SampleFile($0, in: folder, text: "waits").url }, in: "documents")
            try await page.submit()
            try await eventually("their page") { try await page.browser.url.contains("/uploads") }
            try await eventually("they are shown") {
                try await page.browser.elements("s3file-status[data-state] .s3file-steps").count == names.count
            }
        }

        /// Which there are among the elements.
        private static func states(_ page: GalleryPage) async throws -> [String] {
            let states = try await page.browser.run(
                "return [...new Set([...document.querySelectorAll('s3file-status')].map(({ dataset }) => dataset.state))].sort().join()"
            )
            return (states ?? "").split(separator: ",").map(String.init)
        }
    }
}

extension GalleryPage {
    /// Of the app itself, on 127.0.0.1.
    var port: Int {
        get throws {
            guard let port = URL(string: self.installation.address)?.port else {
                throw WebDriverError(description: "no port in \(self.installation.address)")
            }
            return port
        }
    }
}
