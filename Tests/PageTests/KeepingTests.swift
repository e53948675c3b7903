import Foundation
import S3
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
                let signature = "return document.querySelector('#avatar').getAttribute('data-fields-x-amz-signature')"
                let before = try await page.browser.run(signature)
                try await page.browser.run(
                    "const { dataset } = document.querySelector('#avatar'); dataset.s3fExpires = '2020-01-01T00:00:00Z'; dataset.fieldsPolicy = 'run out'"
                )
                try await page.listen()
                try await page.choose([try SampleFile.picture("holiday.png", in: folder).url], in: "avatar")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["holiday.png"])
                try await page.openForm()
                #expect(before != nil)
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
                #expect(!sent.isEmpty && sent != "1,2,3", "\(sent)")
                try await page.submit()
                let stored = try await page.stored(1)
                #expect(stored.map(\.name) == ["film.mp4"])
                #expect(try await page.bytes(at: stored[0].link) == bytes)
            }
        }

        @Test("a long file that is cancelled leaves nothing behind in the storage")
        func cancelledParts() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.run("document.querySelector('#documents').dataset.s3fMultipartAbove = 1000")
                try await page.browser.limitUpload(bytesPerSecond: 2_000_000)
                try await page.choose([try SampleFile.sparse("film.mp4", in: folder, size: 13_000_000)], in: "documents")
                try await eventually("some of it has gone") { try await page.row(in: "uploading").contains(" of 13 MB") }
                #expect(try await page.unfinishedUploads() == 1)
                try await page.browser.element("button[aria-label='Cancel film.mp4']").click()
                try await page.browser.limitUpload(bytesPerSecond: nil)
                try await eventually("it is aborted") { try await page.unfinishedUploads() == 0 }
                #expect(try await page.browser.run("return String(localStorage.length)") == "0")
            }
        }
    }
}

extension GalleryPage {
    /// Uploads in parts that are neither completed nor aborted.
    func unfinishedUploads() async throws -> Int {
        try await self.withStorage { client, bucket in
            try await client.listMultipartUploads(bucket: bucket, prefix: "tmp/").uploads.count
        }
    }
}
