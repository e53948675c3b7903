import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// Pictures to be looked at, in the folder that `S3FILE_SCREENSHOTS` names. That they can be taken is what is tested; that they are
    /// handsome is for people to say.
    @Suite("Pictures", .sharedPage)
    struct ScreenshotTests {
        @Test("each state is photographed, in light and dark, narrow and wide")
        func states() async throws {
            try await GalleryPage.shared { page, folder in
                for (width, name) in [(360, "narrow"), (1000, "wide")] {
                    try await page.inEveryState(folder) { state in
                        for scheme in ["light", "dark"] {
                            try await page.browser.prefer(["prefers-color-scheme": scheme])
                            try await page.browser.fit(width: width)
                            try await page.browser.screenshot("\(state)-\(scheme)-\(name)")
                        }
                    }
                }
            }
        }

        @Test("the page from right to left, and with forced colours")
        func preferences() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.inArabic {
                    try await page.browser.limitUpload(bytesPerSecond: 900_000)
                    try await page.choose([try SampleFile("notes.txt", in: folder, text: "no picture").url], in: "avatar")
                    try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 12_000_000)], in: "documents")
                    try await eventually("it is known how long it will take") {
                        try await page.rows().contains { $0.text.contains("بقي نحو") }
                    }
                    try await page.browser.fit(width: 1000)
                    try await page.browser.screenshot("9-arabic-wide")
                    try await page.browser.fit(width: 360)
                    try await page.browser.screenshot("9-arabic-narrow")
                    try await page.browser.prefer(["forced-colors": "active"])
                    try await page.browser.screenshot("9-forced-colors")
                }
            }
        }
    }
}

extension Browser {
    /// A window as high as the page.
    func fit(width: Int) async throws {
        try await self.resize(width: width, height: 600)
        let height = try await self.run("return String(document.documentElement.scrollHeight)").flatMap { Int($0) } ?? 1250
        try await self.resize(width: width, height: height)
    }
}
