import Foundation
import TestEnvironment
import Testing

extension PageTests {
    /// What happens between the choice of files and their arrival, and what a field's options change of it.
    @Suite("Choosing files", .sharedPage)
    struct ChoosingTests {
        @Test("a field with `immediate` uploads when a file is chosen; a form that is sent meanwhile waits for it")
        func immediate() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.limitUpload(bytesPerSecond: 1_000_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 2_000_000)], in: "documents")
                _ = try await page.row(in: "uploading")
                try await page.submit()
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == "true")
                #expect(try await page.browser.element("form button[type=submit]").isEnabled)
                try await page.browser.limitUpload(bytesPerSecond: nil)
                #expect(try await page.stored(1).map(\.name) == ["film.mp4"])
            }
        }

        @Test("a field without options uploads when the form is sent, and its input replaces what was chosen before")
        func plain() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                try await page.choose([try SampleFile.picture("first.png", in: folder).url], in: "avatar")
                try await page.choose([try SampleFile.picture("second.png", in: folder).url], in: "avatar")
                #expect(try await page.rows().map(\.state) == ["chosen"])
                #expect(try await page.events() == [])
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["second.png"])
            }
        }

        @Test("limits of type, size and count are checked before a byte is sent, and what is wrong is said beside the input")
        func limits() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                // As a server draws it that takes PDFs and plain texts, three at most.
                try await page.browser.run(
                    "const input = document.querySelector('#documents'); input.accept = '.pdf, text/plain'; input.dataset.s3fMaxCount = 3; input.dataset.s3fMaxSize = 1000"
                )
                let files = [
                    try SampleFile("right.PDF", in: folder, text: "%PDF-"), try SampleFile("right.txt", in: folder, text: "text"),
                    try SampleFile("wrong.html", in: folder, text: "<p>"),
                    try SampleFile("large.txt", in: folder, text: String(repeating: "x", count: 1500)),
                    try SampleFile("fifth.txt", in: folder, text: "text"),
                ]
                try await page.choose(files.map(\.url), in: "documents")
                try await eventually("both that are right are uploaded") {
                    try await page.rows().filter { $0.state == "uploaded" }.count == 2
                }
                let wrong = try await page.rows().filter { $0.state == "error" }.map(\.text)
                #expect(wrong.count == 3)
                #expect(wrong[0].contains("wrong.html") && wrong[0].contains("Not an accepted type. Accepted: .pdf, text/plain."))
                #expect(wrong[1].contains("large.txt") && wrong[1].contains("Too large: 1.5 kB, the limit is 1 kB."))
                #expect(wrong[2].contains("fifth.txt") && wrong[2].contains("Too many files: 5, the limit is 3."))
                #expect(try await page.events().filter { $0.hasPrefix("start") } == ["start right.PDF", "start right.txt"])
                let input = try await page.browser.element("#documents")
                #expect(try await input.attribute("aria-invalid") == "true")
                #expect(try await input.attribute("aria-describedby")?.split(separator: " ").count == 4)
                for name in ["wrong.html", "large.txt", "fifth.txt"] {
                    try await page.browser.element("button[aria-label='Remove \(name)']").click()
                }
                #expect(try await input.attribute("aria-invalid") == nil)
                try await page.submit()
                #expect(try await page.stored(2).map(\.name).sorted() == ["right.PDF", "right.txt"])
            }
        }

        @Test("one upload is cancelled, or all at once; what was cancelled is not sent")
        func cancel() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                try await page.browser.limitUpload(bytesPerSecond: 300_000)
                let files = try ["a.bin", "b.bin", "c.bin", "d.bin"].map {
                    try SampleFile.sparse($0, in: folder, size: 3_000_000)
                }
                try await page.choose(files, in: "documents")
                try await eventually("three at a time") {
                    try await page.rows().map(\.state) == ["uploading", "uploading", "uploading", "waiting"]
                }
                try await page.browser.element("button[aria-label='Cancel b.bin']").click()
                try await eventually("the next one's turn") {
                    try await page.rows().map(\.state) == ["uploading", "uploading", "uploading"]
                }
                #expect(try await page.events().contains("cancel b.bin"))
                try await page.submit()
                try await page.browser.element(".s3file-cancel-all").click()
                #expect(try await page.rows().isEmpty)
                #expect(try await page.browser.focus == "documents")
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == nil)
                #expect(
                    try await page.browser.run("return String(document.querySelector('.s3file-cancel-all').hidden)") == "true"
                )
                // Nobody wants the form sent without its files.
                #expect(try await page.browser.url.hasSuffix("/"))
                try await page.browser.limitUpload(bytesPerSecond: nil)
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "after").url], in: "documents")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test(
            "to cancel all keeps the form from being sent with what was uploaded before; to cancel one sends it with the others"
        )
        func cancelWithUploaded() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("there.txt", in: folder, text: "there").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                func sendWithTwoMore() async throws {
                    try await page.browser.limitUpload(bytesPerSecond: 200_000)
                    try await page.choose(
                        try ["a.bin", "b.bin"].map { try SampleFile.sparse($0, in: folder, size: 4_000_000) },
                        in: "documents"
                    )
                    try await eventually("both are moving") {
                        try await page.rows().map(\.state) == ["uploaded", "uploading", "uploading"]
                    }
                    try await page.submit()
                    #expect(try await page.browser.element("form").attribute("data-s3f-busy") == "true")
                }
                try await sendWithTwoMore()
                try await page.browser.element(".s3file-cancel-all").click()
                #expect(try await page.rows().map(\.state) == ["uploaded"])
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == nil)
                #expect(try await page.browser.url.hasSuffix("/"))

                try await sendWithTwoMore()
                try await page.browser.element("button[aria-label='Cancel a.bin']").click()
                #expect(try await page.rows().map(\.state) == ["uploaded", "uploading"])
                try await page.browser.element("button[aria-label='Cancel b.bin']").click()
                try await page.browser.limitUpload(bytesPerSecond: nil)
                #expect(try await page.stored(1).map(\.name) == ["there.txt"])
            }
        }

        @Test(
            "files are dropped on and around an input with `drop`, and added to those that are there; beside it nothing happens"
        )
        func drop() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("chosen.txt", in: folder, text: "chosen").url], in: "documents")
                func drop(_ name: String, on target: String) async throws -> String? {
                    try await page.browser.run(
                        """
                        const target = document.querySelector('\(target)')
                        const dataTransfer = new DataTransfer()
                        dataTransfer.items.add(new File(['dropped'], '\(name)'))
                        const event = (type) => new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer })
                        target.dispatchEvent(event('dragover'))
                        const marked = document.querySelectorAll('.s3file-over').length
                        const kept = !target.dispatchEvent(event('drop'))
                        return `${marked} ${kept} ${document.querySelectorAll('.s3file-over').length}`
                        """
                    )
                }
                try await eventually("the options are there") { try await drop("one.txt", on: "#documents") == "1 true 0" }
                #expect(try await drop("two.txt", on: "label[for=documents]") == "1 true 0")
                #expect(try await drop("three.txt", on: "h1") == "0 true 0")
                try await eventually("all are uploaded") {
                    try await page.rows().filter { $0.state == "uploaded" }.count >= 3
                }
                try await page.submit()
                #expect(try await page.stored(3).map(\.name).sorted() == ["chosen.txt", "one.txt", "two.txt"])
            }
        }

        @Test("an input that the page adds later takes what is dropped and pasted, before anything was chosen in it")
        func dropLater() async throws {
            try await GalleryPage.shared { page, _ in
                // A page without such a field at first.
                try await page.browser.run(
                    """
                    const place = document.querySelector('#documents').parentElement
                    window.later = place.querySelector('#documents').cloneNode()
                    sessionStorage.later = later.outerHTML
                    """
                )
                try await page.browser.open(page.installation.address + "/uploads")
                try await page.browser.run(
                    "document.querySelector('main').innerHTML = '<form method=\"post\">' + sessionStorage.later + '</form>'"
                )
                try await eventually("it takes what is dropped") {
                    try await page.browser.run(
                        """
                        const dataTransfer = new DataTransfer()
                        dataTransfer.items.add(new File(['dropped'], 'dropped.txt'))
                        const event = (type) => new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer })
                        const input = document.querySelector('#documents')
                        for (const type of ['dragover', 'drop']) input.dispatchEvent(event(type))
                        return String(input.files.length)
                        """
                    ) == "1"
                }
                _ = try await page.row(in: "uploaded")
            }
        }

        @Test("an input that goes while it uploads sends nothing any more, and the form does not wait for it")
        func removedInput() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                try await page.browser.limitUpload(bytesPerSecond: 200_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 4_000_000)], in: "documents")
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                _ = try await page.row(in: "uploading")
                try await page.submit()
                try await eventually("the small one is there") { try await page.rows().contains { $0.state == "uploaded" } }
                try await page.browser.run("document.querySelector('#documents').remove()")
                // At a speed at which the film would take twenty seconds.
                #expect(try await page.stored(1, within: .seconds(15)).map(\.name) == ["holiday.png"])
                try await page.browser.limitUpload(bytesPerSecond: nil)
            }
        }

        @Test("a picture from the clipboard is pasted into the form, and a text into a text field as ever")
        func paste() async throws {
            try await GalleryPage.shared { page, _ in
                func paste(into target: String) async throws -> String? {
                    try await page.browser.run(
                        """
                        const clipboardData = new DataTransfer()
                        clipboardData.items.add(new File(['pixels'], 'image.png', { type: 'image/png' }))
                        const event = new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData })
                        return String(!document.querySelector('\(target)').dispatchEvent(event))
                        """
                    )
                }
                try await eventually("the options are there") { try await paste(into: "body") == "true" }
                _ = try await page.row(in: "uploaded")
                try await page.browser.run("document.querySelector('main').append(document.createElement('textarea'))")
                #expect(try await paste(into: "textarea") == "false")
                // An editor of rich texts, and one that has taken the picture by itself.
                try await page.browser.run(
                    """
                    document.querySelector('main').insertAdjacentHTML('beforeend',
                        '<div contenteditable><p id="rich">text</p></div><div id="taker" tabindex="0"></div>')
                    document.querySelector('#taker').addEventListener('paste', (event) => event.preventDefault())
                    """
                )
                #expect(try await paste(into: "#rich") == "false")
                #expect(try await paste(into: "#taker") == "true")
                #expect(try await page.rows().count == 1)
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["image.png"])
            }
        }

        @Test("the page hears what happens, by our events and by those of django-s3file")
        func events() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.listen()
                try await page.browser.run(
                    """
                    window.django = []
                    const keep = ({ currentTarget, detail }) => django.push([currentTarget.localName, Object.keys(detail).sort().join()].join(' '))
                    for (const target of [document.querySelector('#documents'), document.querySelector('form')]) target.addEventListener('progress', keep)
                    """
                )
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "heard").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                #expect(
                    try await page.browser.run("return [...new Set(heard)].join()")
                        == "start notes.txt,progress notes.txt,uploaded notes.txt"
                )
                let detail = "currentFile,currentFileName,currentFileProgress,loaded,originalEvent,progress,total"
                #expect(try await page.browser.run("return [...new Set(django)].join('; ')") == "input \(detail); form \(detail)")
            }
        }

        @Test("every text can be translated, plural forms included, by JSON in the page; numbers and units follow")
        func translated() async throws {
            @Sendable func word(_ name: String) -> String { Arabic.texts[name] ?? name }
            try await GalleryPage.shared { page, folder in
                try await page.inArabic {
                    try await page.choose([try SampleFile("notes.txt", in: folder, text: "no picture").url], in: "avatar")
                    #expect(try await page.row(in: "error").contains(word("wrongType").prefix(8)))
                    try await page.browser.element("button[aria-label='\(word("remove")) notes.txt']").click()

                    try await page.browser.run(
                        """
                        const region = document.querySelector('.s3file-spoken[role=status]')
                        window.said = []
                        new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true })
                        """
                    )
                    // A quarter takes longer than the pause between two announcements, so that the first is not left out.
                    try await page.browser.limitUpload(bytesPerSecond: 300_000)
                    let three = try ["a.bin", "b.bin", "c.bin"].map { try SampleFile.sparse($0, in: folder, size: 1_500_000) }
                    try await page.choose(three, in: "documents")
                    // Three are "few" in Arabic.
                    try await eventually("the start is said") {
                        try await page.browser.run("return said.join('|')")?.contains("جارٍ رفع 3 ملفات.") == true
                    }
                    try await page.browser.limitUpload(bytesPerSecond: nil)
                    try await eventually("all are uploaded, and that is said") {
                        try await page.spoken().status == word("done")
                    }
                    #expect(try await page.rows()[0].text.contains(word("uploaded")))
                    #expect(try await page.browser.run("return document.querySelector('.s3file-size').textContent") == "1.5 م.ب")
                    try await page.submit()
                    let status = try await page.browser.element("s3file-status[data-state=stored] .s3file-state").text
                    #expect(status.contains(word("stored")))
                    // A page that allows scripts of its own origin only allows this.
                    #expect(try await page.browser.complaints() == [])
                }
            }
        }
    }
}
