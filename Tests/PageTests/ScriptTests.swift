import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// The script as it is served.
    @Suite("The script", .sharedPage)
    struct ScriptTests {
        @Test("s3file.js is smaller than 6,000 bytes as gzip -9 packs it, and each module that it loads than 3,500")
        func size() async throws {
            try await GalleryPage.shared { page, folder in
                for (name, limit) in [
                    ("s3file.js", 6_000), ("s3file-retry.js", 3_500), ("s3file-options.js", 3_500),
                    ("s3file-multipart.js", 3_500), ("s3file-status.js", 3_500),
                ] {
                    let script = try SampleFile(name, in: folder, bytes: try await page.bytes(at: "/s3file/\(name)"))
                    let packed = try await Program.output("sh", ["-c", "gzip -9 -c \"$0\" | wc -c", script.url.path])
                    let size = try #require(packed.lines.first.flatMap { Int($0.filter(\.isNumber)) })
                    print("\(name): \(script.bytes.count) bytes, \(size) packed")
                    #expect(size < limit, "\(name)")
                }
            }
        }

        @Test(
            "a page without uploads loads the script alone; one with a field's options, a status or an upload loads what it needs, once"
        )
        func modules() async throws {
            try await GalleryPage.shared { page, folder in
                func loaded() async throws -> [String] {
                    let names = try await page.browser.run(
                        "return performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname.split('/').pop()).filter((name) => /^s3file.*js$/.test(name)).sort().join()"
                    )
                    return (names ?? "").split(separator: ",").map(String.init)
                }
                try await page.browser.open(page.installation.address + "/uploads")
                #expect(try await loaded() == ["s3file.js"])
                try await page.openForm()
                try await eventually("the options of a field") { try await loaded() == ["s3file-options.js", "s3file.js"] }
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "loads").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                #expect(try await loaded() == ["s3file-options.js", "s3file-retry.js", "s3file.js"])
                try await page.submit()
                _ = try await page.stored(1)
                #expect(try await loaded() == ["s3file-status.js", "s3file.js"])
                // By an address of this release, which browsers may keep for long.
                let versions = try await page.browser.run(
                    "return performance.getEntriesByType('resource').map(({ name }) => new URL(name)).filter(({ pathname }) => /s3file-.*js$/.test(pathname)).map(({ search }) => search).join()"
                )
                #expect(versions?.wholeMatch(of: /\?v=[0-9a-f]{16}/) != nil, "\(versions ?? "")")
            }
        }

        @Test("no text of one script has the name of another's")
        func names() async throws {
            try await GalleryPage.shared { page, _ in
                var names: [String] = []
                for name in ["s3file.js", "s3file-retry.js", "s3file-status.js"] {
                    let script = String(decoding: try await page.bytes(at: "/s3file/\(name)"), as: UTF8.self)
                    let start = try #require(script.firstMatch(of: /const (texts|WORDS)=\{/)).range.upperBound
                    let words = script[start...].prefix { $0 != "\n" }
                    names += words.matches(of: /(?:^|[,{])(\w+):(?:'|\{one)/).map { String($0.output.1) }
                }
                // A plural form's.
                names.removeAll { $0 == "other" }
                #expect(names.count > 40 && Set(names).count == names.count, "\(names.sorted())")
            }
        }

        @Test("a module that cannot be loaded is told from a storage that refuses, and is loaded when it is there again")
        func missingModule() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run("document.querySelector('#documents').dataset.s3fMultipartAbove = 1000")
                try await page.browser.block(["*s3file-multipart.js*"])
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 6_000_000)
                try await page.choose([film], in: "documents")
                _ = try await page.row(in: "retrying")
                let text = try await page.row(in: "error", within: .seconds(30))
                #expect(text.contains("The connection to the file storage failed. Check your network and try again."), "\(text)")
                try await page.browser.block([])
                try await page.browser.element(".s3file-again").click()
                _ = try await page.row(in: "uploaded")
            }
        }

        @Test("a status whose module cannot be loaded says so, and shows how its upload stands when the module is there again")
        func missingStatus() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "shown late").url], in: "documents")
                try await page.submit()
                _ = try await page.stored(1)
                try await page.browser.command("Network.clearBrowserCache")
                try await page.browser.block(["*s3file-status.js*"])
                try await page.browser.open(page.installation.address + "/uploads")
                let text = try await page.browser.element("s3file-status[data-state=unknown]", within: .seconds(30)).text
                #expect(text == "This upload cannot be shown. Reload the page.")
                try await page.browser.block([])
                _ = try await page.browser.element("s3file-status[data-state=stored]", within: .seconds(60))
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test("an upload that is cancelled while its module is on the way does not begin")
        func cancelledBeforeModule() async throws {
            try await GalleryPage.shared { page, folder in
                // Once the other modules are there.
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "first").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.browser.run(
                    """
                    document.querySelector('#documents').dataset.s3fMultipartAbove = 1000
                    const send = window.fetch
                    window.asked = []
                    window.fetch = (url, ...more) => (asked.push(new URL(url, document.baseURI).pathname), send(url, ...more))
                    """
                )
                try await page.browser.command("Network.clearBrowserCache")
                try await page.browser.setLatency(milliseconds: 2_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 6_000_000)], in: "documents")
                _ = try await page.row(in: "uploading")
                try await page.browser.element("button[aria-label='Cancel film.mp4']").click()
                try await page.browser.setLatency(milliseconds: 0)
                try await eventually("the module is there") {
                    try await page.browser.run(
                        "return String(performance.getEntriesByType('resource').some(({ name }) => name.includes('s3file-multipart.js')))"
                    ) == "true"
                }
                // It would ask in the same moment.
                let asked = try await page.browser.runUntilDone("setTimeout(() => done(asked.join()), 100)")
                #expect(asked?.contains("multipart") == false, "\(asked ?? "")")
            }
        }
    }
}
