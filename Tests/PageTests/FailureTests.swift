import Foundation
import S3
import TestEnvironment
import Testing

extension PageTests {
    /// What goes wrong between a browser and the storage, and that a form never dies of it.
    @Suite("When an upload fails", .sharedPage)
    struct FailureTests {
        @Test("a storage that refuses for a moment is tried again, and the page says so")
        func retried() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("slow-down operation=PostObject times=1")
                try await page.listen()
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "patience").url], in: "documents")
                #expect(try await page.row(in: "retrying").contains("Trying again in"))
                _ = try await page.row(in: "uploaded")
                #expect(
                    try await page.events() == ["start notes.txt", "retry notes.txt SlowDown", "uploaded notes.txt"]
                )
            }
        }

        @Test("a storage that stays away gets a sentence with details for support, and the row's button tries again")
        func gaveUp() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("unavailable operation=PostObject")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "patience").url], in: "documents")
                try await page.submit()
                #expect(try await page.row(in: "error").contains("Needs attention: The file storage is busy."))
                // What goes wrong at the same time is told together, a moment later.
                try await eventually("it is said") {
                    try await page.spoken().alert == "notes.txt: The file storage is busy. Try again in a moment."
                }
                #expect(try await page.browser.element("form").attribute("data-s3f-busy") == nil)
                try await page.browser.element(".s3file-summary").click()
                let facts = try await page.browser.element(".s3file-facts").text
                #expect(facts.contains("ServiceUnavailable · 503") && facts.contains("request "))
                #expect(try await page.browser.element(".s3file-summary").attribute("aria-label") == "Details notes.txt")

                try await page.setFaults("")
                try await page.browser.element(".s3file-again").click()
                #expect(try await page.browser.focus.hasSuffix("notes.txt"))
                _ = try await page.row(in: "uploaded")
                try await page.submit()
                #expect(try await page.stored(1).count == 1)
            }
        }

        @Test("a file that cannot be moved yet says so in words for a person, not in the storage's")
        func waitsForStorage() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.setFaults("unavailable operation=CopyObject")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "patience").url], in: "documents")
                try await page.submit()
                let sentence = "Processing: The file storage does not take it just now. It will be tried again."
                try await eventually("the worker's first attempt has failed", within: .seconds(60)) {
                    try await page.browser.run("return document.querySelector('s3file-status .s3file-state')?.textContent")
                        == sentence
                }
                try await page.setFaults("")
                #expect(try await page.stored(1).count == 1)
            }
        }

        @Test("a bucket without a CORS rule for this page is told from a storage that is away, for it is the site's to mend")
        func corsMissing() async throws {
            try await GalleryPage.shared { page, folder in
                func allow(_ origin: String) async throws {
                    let rule = S3CORSRule(allowedOrigins: [origin], allowedMethods: ["POST", "PUT", "GET"])
                    try await page.withStorage { client, bucket in try await client.putBucketCORS(bucket, rules: [rule]) }
                }
                try await allow("https://elsewhere.example")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "blocked").url], in: "documents")
                let text = try await page.row(in: "error", within: .seconds(30))
                #expect(text.contains("The file storage does not answer this page."))
                #expect(
                    try await page.browser.run("return document.querySelector('.s3file-facts').textContent")?.contains("CORS")
                        == true
                )
                try await allow("*")
                try await page.browser.element(".s3file-again").click()
                _ = try await page.row(in: "uploaded")
            }
        }

        @Test("without a network an upload waits, says so, and goes on by itself when the network is back")
        func offline() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.browser.setOffline(true)
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "later").url], in: "documents")
                #expect(try await page.row(in: "retrying").contains("Waiting for the network"))
                try await page.browser.setOffline(false)
                _ = try await page.row(in: "uploaded")
            }
        }

        @Test("a network that goes in the middle of a file is told of at once, and the file arrives whole")
        func offlineInTheMiddle() async throws {
            try await GalleryPage.shared { page, folder in
                let film = try SampleFile(
                    "film.mp4",
                    in: folder,
                    bytes: Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) })
                )
                try await page.browser.limitUpload(bytesPerSecond: 500_000)
                try await page.choose([film.url], in: "documents")
                try await eventually("some of it has gone") { try await page.row(in: "uploading").contains(" of 3 MB") }
                // As the browser tells it. What is on its way may get through all the same.
                let said = try await page.browser.run(
                    "dispatchEvent(new Event('offline')); return document.querySelector('.s3file-file .s3file-state').textContent"
                )
                #expect(said?.contains("Waiting for the network") == true, "\(said ?? "")")
                try await page.browser.limitUpload(bytesPerSecond: nil)
                _ = try await page.row(in: "uploaded", within: .seconds(120))
                try await page.submit()
                let stored = try await page.stored(1)
                #expect(try await page.bytes(at: stored[0].link) == film.bytes)
            }
        }

        @Test("a page that is reloaded in the middle of an upload asks first, and is a working form afterwards")
        func reload() async throws {
            try await GalleryPage.shared { page, folder in
                let film = try SampleFile.sparse("film.mp4", in: folder, size: 5_000_000)
                try await page.browser.limitUpload(bytesPerSecond: 500_000)
                try await page.choose([film], in: "documents")
                _ = try await page.row(in: "uploading")
                let asks =
                    "const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return String(event.defaultPrevented)"
                #expect(try await page.browser.run(asks) == "true")
                try await page.browser.reload()
                try await page.browser.limitUpload(bytesPerSecond: nil)
                #expect(try await page.browser.run(asks) == "false")
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "after").url], in: "documents")
                try await page.submit()
                #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
            }
        }

        @Test("the bytes of a file that changed after it had been chosen are not sent, and the person is told")
        func changed() async throws {
            try await GalleryPage.shared { page, folder in
                let file = try SampleFile.picture("holiday.png", in: folder)
                try await page.choose([file.url], in: "avatar")
                try Data("something else, and longer".utf8).write(to: file.url)
                // Browsers compare the second of the change.
                let later = Date(timeIntervalSinceNow: 10)
                try FileManager.default.setAttributes([.modificationDate: later], ofItemAtPath: file.url.path)
                try await page.submit()
                #expect(try await page.row(in: "error").contains("The file changed after you chose it. Choose it again."))
            }
        }

        @Test("a form whose file has gone from the storage is answered with the file's name and what to do")
        func missingObject() async throws {
            try await GalleryPage.shared { page, folder in
                try await page.choose([try SampleFile("notes.txt", in: folder, text: "gone").url], in: "documents")
                _ = try await page.row(in: "uploaded")
                try await page.withStorage { client, bucket in
                    let objects = try await client.listObjects(bucket: bucket, prefix: "tmp/").objects
                    _ = try await client.deleteObjects(bucket: bucket, objects.map { S3ObjectIdentifier(key: $0.key) })
                }
                try await page.submit()
                let answer = try await page.browser.element(".s3file-page").text
                #expect(answer.contains("notes.txt") && answer.contains("Back to the form"))
            }
        }
    }
}
