import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// Whether everybody can use the page: WCAG 2.2 AA by axe-core, the keyboard alone, and what a screen reader is told.
    @Suite("For everybody", .sharedPage)
    struct AccessibilityTests {
        @Test(
            "axe-core finds nothing in any state, in light and dark, narrow and wide",
            .enabled(if: Axe.isInstalled, "\(Axe.missing)"),
            arguments: ["light", "dark"]
        )
        func axe(scheme: String) async throws {
            let axe = try Axe()
            try await GalleryPage.shared { page, folder in
                try await page.browser.prefer(["prefers-color-scheme": scheme])
                for width in [360, 1000] {
                    try await page.browser.resize(width: width, height: 1250)
                    try await page.inEveryState(folder) { state in
                        let violations = try await axe.violations(in: page.browser)
                        #expect(violations == [], "\(state), \(scheme), \(width) px")
                    }
                }
            }
        }

        @Test("with the keyboard alone files are sent, tried again and removed, and the focus never moves by itself")
        func keyboard() async throws {
            let (tab, enter) = ("\u{E004}", "\u{E007}")
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("unavailable operation=PostObject")
                // The dialog of the operating system is beyond a browser's reach; all else is done by keys.
                let files = try ["a.txt", "b.txt"].map { try SampleFile($0, in: folder, text: $0).url }
                try await page.choose(files, in: "documents")
                try await page.browser.run("document.querySelector('#documents').focus()")
                #expect(try await page.browser.focus == "documents")
                try await eventually("both have failed") { try await page.rows().map(\.state) == ["error", "error"] }
                #expect(try await page.browser.focus == "documents")
                try await page.setFaults("")
                var stops: [String] = []
                for _ in 0..<3 {
                    try await page.browser.press(tab)
                    stops.append(try await page.browser.focus)
                }
                #expect(stops == ["Try again a.txt", "Details a.txt", "Remove a.txt"])
                try await page.browser.press(tab)
                #expect(try await page.browser.focus == "Try again b.txt")
                try await page.browser.press(enter)
                _ = try await page.row(in: "uploaded")
                // The button that was pressed has gone; its neighbour of the same row has the focus.
                #expect(try await page.browser.focus == "Remove b.txt")
                try await page.browser.press(tab, holding: "\u{E008}")
                #expect(try await page.browser.focus == "Remove a.txt")
                try await page.browser.press(" ")
                #expect(try await page.rows().count == 1)
                #expect(try await page.browser.focus == "Remove b.txt")
                try await page.browser.press(tab)
                while try await page.browser.focus != "Upload" { try await page.browser.press(tab) }
                try await page.browser.press(enter)
                #expect(try await page.stored(1).map(\.name) == ["b.txt"])
            }
        }

        @Test(
            "a screen reader is told of the start, of quarters and of the end: at most once a second, and never of what is past"
        )
        func announcements() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run(
                    """
                    window.said = []
                    for (const region of document.querySelectorAll('.s3file-spoken')) {
                        const keep = () => region.textContent && said.push([region.role, Math.round(performance.now()), region.textContent])
                        new MutationObserver(keep).observe(region, { childList: true })
                    }
                    """
                )
                try await page.browser.limitUpload(bytesPerSecond: 1_000_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 5_000_000)], in: "documents")
                _ = try await page.row(in: "uploaded", within: .seconds(30))
                try await eventually("the end is said") { try await page.spoken().status == "All files are uploaded." }
                let text =
                    try await page.browser.run("return said.map(([role, time, text]) => `${role} ${time} ${text}`).join('\\n')")
                    ?? ""
                let lines = text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 2).map(String.init) }
                let said = lines.map { $0[2] }
                #expect(lines.allSatisfy { $0[0] == "status" })
                #expect(said.first == "Uploading 1 file." && said.last == "All files are uploaded.", "\(said)")
                #expect(said.contains("50% uploaded."), "\(said)")
                #expect(Set(said).count == said.count)
                let times = lines.compactMap { Int($0[1]) }
                #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 950 }, "\(times)")
                // Nothing is left to be said after the end.
                #expect(try await page.spoken() == ("All files are uploaded.", ""))
            }
        }

        @Test("of files that are refused at the same time each is said, and what becomes of those of an input without a form")
        func saidTogether() async throws {
            try await GalleryPage.shared { page, folder in
                let large = try ["a.txt", "b.txt"].map { try SampleFile($0, in: folder, text: "too long").url }
                let small = try SampleFile("c.txt", in: folder, text: "c").url
                try await page.browser.run("document.querySelector('#documents').dataset.s3fMaxSize = 3")
                try await page.choose(large, in: "documents")
                try await eventually("both are said") {
                    let alert = try await page.spoken().alert
                    return alert.contains("a.txt: Too large: ") && alert.contains("b.txt: Too large: ")
                }

                func said(_ role: String) async throws -> String? {
                    try await page.browser.run(
                        "return document.querySelector('body > .s3file-spoken[role=\(role)]')?.textContent"
                    )
                }
                try await page.browser.run(
                    """
                    const input = document.querySelector('#documents').cloneNode()
                    input.id = 'alone'
                    document.querySelector('main').append(input)
                    """
                )
                // A region is there before it has anything to say.
                try await eventually("there is where to say it") { try await [said("status"), said("alert")] == ["", ""] }
                try await page.browser.element("#alone").choose(large + [small])
                try await eventually("what is wrong is said") {
                    let alert = try await said("alert") ?? ""
                    return alert.contains("a.txt: Too large: ") && alert.contains("b.txt: Too large: ")
                }
                try await eventually("the end is said") { try await said("status") == "2 of 3 files could not be uploaded." }
            }
        }

        @Test("while a form waits for its files nothing keeps a screen reader from hearing how far they are")
        func notBusy() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.limitUpload(bytesPerSecond: 500_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 3_000_000)], in: "documents")
                try await page.submit()
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == "true")
                let silenced =
                    "return String(document.querySelectorAll('[aria-busy] [role=status], [aria-busy] [role=alert]').length)"
                #expect(try await page.browser.run(silenced) == "0")
                try await page.browser.limitUpload(bytesPerSecond: nil)
                _ = try await page.stored(1)
            }
        }

        @Test("who prefers less motion sees none")
        func reducedMotion() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("latency=5s operation=PostObject")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "slow").url], in: "documents")
                let motion =
                    "const { animationName } = getComputedStyle(document.querySelector('progress:indeterminate')); return animationName"
                _ = try await page.browser.element("progress:indeterminate")
                #expect(try await page.browser.run(motion) == "s3file-going")
                try await page.browser.prefer(["prefers-reduced-motion": "reduce"])
                #expect(try await page.browser.run(motion) == "none")
                try await page.setFaults("")
            }
        }

        @Test("a progress bar has its file's name and says how far it is; what it cannot know it does not claim")
        func progressBar() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.limitUpload(bytesPerSecond: 700_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 5_000_000)], in: "documents")
                let text = try await eventually { () -> String? in
                    let text = try await page.row(in: "uploading")
                    return text.contains("left") ? text : nil
                }
                #expect(text.contains(/Uploading \d+%, [\d.]+ of 5 MB, about \d+ seconds? left/))
                let bar = try await page.browser.run(
                    """
                    const bar = document.querySelector('progress')
                    const name = document.getElementById(bar.getAttribute('aria-labelledby')).textContent
                    return [name, bar.value > 0 && bar.value < 1, bar.getAttribute('aria-valuetext') === bar.nextSibling.textContent].join(' ')
                    """
                )
                #expect(bar == "film.mp4 true true")
                // All is sent and the storage has not answered: nobody knows for how long.
                try await page.setFaults("latency=3s operation=PostObject")
                try await page.browser.limitUpload(bytesPerSecond: nil)
                try await page.browser.element("button[aria-label='Cancel film.mp4']").click()
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "slow").url], in: "documents")
                try await eventually("the storage is waited for") {
                    try await page.rows().first?.text.contains("Sent, waiting for the storage") == true
                }
                #expect(try await page.browser.run("return String(document.querySelector('progress').position)") == "-1")
            }
        }

        @Test("every button is 24 pixels high and wide at least")
        func targets() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.resize(width: 360, height: 1250)
                try await page.inEveryState(folder) { state in
                    let small = try await page.browser.run(
                        """
                        return [...document.querySelectorAll('button, summary, a, input')]
                            .filter((e) => e.getClientRects().length && (e.offsetHeight < 24 || e.offsetWidth < 24) && !e.closest('p, .s3file-name'))
                            .map((e) => e.outerHTML.slice(0, 80)).join()
                        """
                    )
                    #expect(small == "", "\(state)")
                }
            }
        }
    }
}
