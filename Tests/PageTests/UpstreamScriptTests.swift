import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// The contract's other half: django-s3file's own script, unmodified, in place of ours.
    @Suite("django-s3file's script", .sharedPage)
    struct UpstreamScriptTests {
        @Test(
            "django-s3file 7.0.3's script uploads through our page, our server and our storage, as it is",
            .enabled(if: PythonFile.path(Self.script) != nil, "django-s3file is not installed; bin/test installs it")
        )
        func uploads() async throws {
            let script = try String(contentsOfFile: try #require(PythonFile.path(Self.script)), encoding: .utf8)
            try await GalleryPage.shared { page, folder in
                // Ours does not run; theirs begins when the document is there.
                try await page.browser.command("Network.enable")
                try await page.browser.command("Network.setBlockedURLs", ["urls": ["*/s3file/s3file.js"]])
                let added =
                    try await page.browser.command("Page.addScriptToEvaluateOnNewDocument", ["source": script]) as? [String: Any]
                try await page.openForm()
                let picture = try SampleFile.picture("holiday.png", in: folder)
                let notes = try SampleFile("notes.txt", in: folder, text: "by their script")
                try await page.choose([picture.url], in: "avatar")
                try await page.choose([notes.url], in: "documents")
                #expect(try await page.rows().isEmpty)
                try await page.submit()
                try await page.browser.command(
                    "Page.removeScriptToEvaluateOnNewDocument",
                    ["identifier": added?["identifier"] as? String ?? ""]
                )
                try await page.browser.command("Network.setBlockedURLs", ["urls": [String]()])
                try await eventually("the form has gone") { try await page.browser.url.contains("/uploads") }
                try await page.browser.reload()
                let stored = try await page.stored(2)
                #expect(stored.map(\.name).sorted() == ["holiday.png", "notes.txt"])
                let link = try #require(stored.first { $0.name == "notes.txt" }?.link)
                #expect(try await page.bytes(at: link) == notes.bytes)
            }
        }

        private static let script = "s3file/static/s3file/js/s3file.js"
    }
}
