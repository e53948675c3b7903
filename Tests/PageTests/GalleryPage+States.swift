import Foundation
import TestEnvironment

extension GalleryPage {
    /// Brings the page into each state that a person can see, and calls `look` in it.
    func inEveryState(_ folder: URL, _ look: (_ state: String) async throws -> Void) async throws {
        try await self.setFaults("")
        try await self.browser.limitUpload(bytesPerSecond: nil)
        try await self.openForm()
        try await look("1-empty")

        let wrong = try SampleFile("notes.txt", in: folder, text: "no picture")
        try await self.choose([wrong.url], in: "avatar")
        _ = try await self.row(in: "error")
        try await look("2-refused")

        let picture = try SampleFile.picture("holiday.png", in: folder)
        try await self.choose([picture.url], in: "avatar")
        try await self.browser.limitUpload(bytesPerSecond: 900_000)
        let films = [
            try SampleFile.sparse(
                "a-very-long-name-that-has-to-be-broken-somewhere-in-the-middle-of-it.mp4",
                in: folder,
                size: 12_000_000
            ),
            try SampleFile.sparse("ünï 文.bin", in: folder, size: 3_500_000),
            try SampleFile.sparse("notes.pdf", in: folder, size: 5_000_000),
            try SampleFile.sparse("last.pdf", in: folder, size: 5_000_000),
        ]
        try await self.choose(films, in: "documents")
        try await eventually("it is known how long it will take") {
            try await self.rows().contains { $0.text.contains("left") }
        }
        try await look("3-uploading")
        try await self.browser.element(".s3file-cancel-all").click()

        try await self.browser.limitUpload(bytesPerSecond: nil)
        try await self.setFaults("unavailable operation=PostObject")
        try await self.choose([wrong.url], in: "documents")
        _ = try await self.row(in: "retrying")
        try await look("4-retrying")
        _ = try await self.row(in: "error")
        try await self.browser.element(".s3file-summary").click()
        try await look("5-failed")

        try await self.setFaults("")
        try await self.browser.element(".s3file-again").click()
        _ = try await self.row(in: "uploaded")
        try await look("6-uploaded")

        // A worker that cannot copy leaves the files where they are.
        try await self.setFaults("unavailable operation=CopyObject")
        try await self.submit()
        _ = try await self.browser.element("s3file-status:is([data-state=queued], [data-state=moving])")
        try await look("7-processing")
        try await self.setFaults("")
        _ = try await self.stored(try await self.browser.elements("s3file-status").count)
        try await look("8-stored")
    }
}
