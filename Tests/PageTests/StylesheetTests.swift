import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// The stylesheet, in designs and browsers that are not ours.
    @Suite("The stylesheet", .sharedPage)
    struct StylesheetTests {
        @Test("its properties can be set from above, and nearer by")
        func properties() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("latency=5s operation=PostObject")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "slow").url], in: "documents")
                _ = try await page.browser.element(".s3file-progress")
                let line = "return getComputedStyle(document.querySelector('.s3file-file')).borderTopColor"
                let radius = "return getComputedStyle(document.querySelector('.s3file-file')).borderTopLeftRadius"
                #expect(try await page.browser.run(radius) == "8px")
                try await page.browser.run(
                    """
                    const { style } = document.documentElement
                    style.setProperty('--s3file-line', 'rgb(1, 2, 3)')
                    style.setProperty('--s3file-radius', '3px')
                    """
                )
                #expect(try await page.browser.run(line) == "rgb(1, 2, 3)")
                #expect(try await page.browser.run(radius) == "3px")
                try await page.browser.run(
                    "document.querySelector('.s3file-file').parentElement.style.setProperty('--s3file-line', 'rgb(4, 5, 6)')"
                )
                #expect(try await page.browser.run(line) == "rgb(4, 5, 6)")
                try await page.setFaults("")
            }
        }

        @Test("a browser that knows neither light-dark() nor color-mix() shows a progress bar, borders and colours")
        func olderBrowser() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("latency=5s operation=PostObject")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "slow").url], in: "documents")
                _ = try await page.browser.element("progress:indeterminate")
                let facts = try await page.browser.runUntilDone(
                    """
                    fetch('/s3file/s3file.css').then((response) => response.text()).then((text) => {
                        const sheet = new CSSStyleSheet()
                        sheet.replaceSync(text.replaceAll('light-dark(', 'unknown-one(').replaceAll('color-mix(', 'unknown-two('))
                        document.querySelector('link[href$="s3file.css"]').disabled = true
                        document.adoptedStyleSheets = [sheet]
                        const of = (selector) => getComputedStyle(document.querySelector(selector))
                        const bar = of('progress')
                        const going = bar.backgroundImage !== 'none'
                        document.querySelector('progress').value = 0.5
                        done([going, bar.backgroundColor, of('.s3file-file').borderTopStyle, bar.accentColor].join(' | '))
                    })
                    """
                )
                #expect(facts == "true | rgba(128, 128, 128, 0.25) | solid | rgb(34, 87, 197)")
                try await page.setFaults("")
            }
        }
    }
}
