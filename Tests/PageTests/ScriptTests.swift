import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// The script as it is served.
    @Suite("The script", .sharedPage)
    struct ScriptTests {
        @Test("s3file.js is smaller than 6,000 bytes as gzip -9 packs it, and each module that it loads than 3,000")
        func size() async throws {
            try await GalleryPage.shared { page, folder in
                for (name, limit) in [
                    ("s3file.js", 6_000), ("s3file-retry.js", 3_000), ("s3file-options.js", 3_000),
                    ("s3file-multipart.js", 3_000),
                    ("s3file-status.js", 3_000),
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
                        "return performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop()).filter((name) => /^s3file.*js$/.test(name)).sort().join()"
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
            }
        }
    }
}
