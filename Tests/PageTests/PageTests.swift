import Foundation
import S3
import TestEnvironment
import Testing

/// In sequence: each test has servers and a browser of its own, and two cores are soon busy.
@Suite("The page in a real browser", .serialized)
struct PageTests {
    @Test("one file goes from the form through queued and moving to stored, and is opened byte for byte")
    func oneFile() async throws {
        try await GalleryPage.with(workerAfter: "go") { page, folder in
            let file = try SampleFile.picture("holiday.png", in: folder)
            try await page.choose([file.url], in: "avatar")
            #expect(try await page.row(in: "chosen").contains("holiday.png"))
            try await page.submit()

            let status = try await page.browser.element("s3file-status[data-state=queued]")
            #expect(try await status.text.contains("Processing: waiting to be stored."))
            try await page.browser.run(
                "window.seen = ['queued']; document.addEventListener('s3file:status', event => seen.push(event.detail.status))"
            )
            try Data().write(to: folder.appendingPathComponent("go"))
            let stored = try await page.stored(1)
            // A small file is moved faster than the page asks.
            let seen = try await page.browser.run("return seen.filter(status => status != 'moving').join(' ')")
            #expect(seen == "queued stored")
            #expect(stored.map(\.name) == ["holiday.png"])
            #expect(try await page.bytes(at: stored[0].link) == file.bytes)
            #expect(try await page.browser.complaints() == [])
        }
    }

    @Test("every legal file name, two files of one name and an empty file arrive in one form, each with its own bytes")
    func fileNames() async throws {
        try await GalleryPage.with { page, folder in
            try await Self.uploadEveryName(page, folder)
        }
    }

    @Test("the same, with nothing but settings changed, on Ceph RGW", .enabled(if: TestStore.isAvailable, "\(TestStore.missing)"))
    func fileNamesOnCeph() async throws {
        try await TestStore.withBucket { client, bucket in
            try await client.putBucketCORS(bucket, rules: [S3CORSRule(allowedOrigins: ["*"], allowedMethods: ["POST", "GET"])])
            let settings = [
                "AWS_ENDPOINT_URL_S3": try #require(TestStore.endpoint), "AWS_ACCESS_KEY_ID": TestStore.accessKeyID,
                "AWS_SECRET_ACCESS_KEY": TestStore.secretAccessKey, "S3FILE_BUCKET": bucket,
            ]
            try await GalleryPage.with(environment: settings) { page, folder in
                try await Self.uploadEveryName(page, folder)
            }
        }
    }

    @Test("a file that is too large is refused before it is sent, and the form is usable again")
    func tooLarge() async throws {
        try await GalleryPage.with { page, folder in
            let large = try SampleFile.sparse("large.png", in: folder, size: 20_000_001)
            try await page.choose([large], in: "avatar")
            #expect(try await page.row(in: "error").contains("Too large: 20.000001 MB, the limit is 20 MB."))
            try await page.submit()
            #expect(try await page.browser.url.hasSuffix("/"))
            let file = try SampleFile.picture("small.png", in: folder)
            try await page.choose([file.url], in: "avatar")
            try await page.submit()
            #expect(try await page.stored(1).map(\.name) == ["small.png"])
        }
    }

    @Test("a file that only the storage finds too large gets a sentence, and the form is usable again")
    func tooLargeForStorage() async throws {
        try await GalleryPage.with { page, folder in
            // As a page would be whose script does not know the limit.
            try await page.browser.run("delete document.querySelector('input[name=avatar]').dataset.s3fMaxSize")
            let large = try SampleFile.sparse("large.png", in: folder, size: 20_000_001)
            try await page.choose([large], in: "avatar")
            try await page.submit()
            #expect(try await page.row(in: "error").contains("This file is too large."))
            let file = try SampleFile.picture("small.png", in: folder)
            try await page.choose([file.url], in: "avatar")
            try await page.submit()
            #expect(try await page.stored(1).map(\.name) == ["small.png"])
        }
    }

    @Test("a file of a wrong type is refused with the types that are accepted, and the form is usable again")
    func wrongType() async throws {
        try await GalleryPage.with { page, folder in
            let text = try SampleFile("notes.txt", in: folder, text: "no picture")
            try await page.choose([text.url], in: "avatar")
            #expect(try await page.row(in: "error").contains("Not an accepted type. Accepted: image/*."))
            #expect(try await page.browser.element("input[name=avatar]").attribute("aria-invalid") == "true")
            // The button of the row takes the file out again.
            try await page.browser.element("li.s3file-file button").click()
            #expect(try await page.rows().isEmpty)
            #expect(try await page.browser.element("input[name=avatar]").attribute("aria-invalid") == nil)
            try await page.choose([text.url], in: "documents")
            try await page.submit()
            #expect(try await page.stored(1).map(\.name) == ["notes.txt"])
        }
    }

    @Test("a storage out of reach gets a sentence, the form stays alive, and works when the storage is back")
    func storageOutOfReach() async throws {
        let port = try await Self.freePort()
        let storage = [
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:\(port)", "AWS_ACCESS_KEY_ID": "s3file-dev",
            "AWS_SECRET_ACCESS_KEY": "s3file-dev-secret-key",
        ]
        try await GalleryPage.with(environment: storage) { page, folder in
            let file = try SampleFile("notes.txt", in: folder, text: "patience")
            try await page.choose([file.url], in: "documents")
            try await page.submit()
            let text = try await page.row(in: "error", within: .seconds(60))
            #expect(text.contains("The connection to the file storage failed. Check your network and try again."))
            #expect(try await page.browser.element("form button[type=submit]").isEnabled)
            #expect(try await page.browser.element("form").attribute("data-s3f-busy") == nil)

            let directory = folder.path + "/storage"
            _ = try await Program.with(
                "\(Program.folder)/s3file",
                ["dev", "--no-worker", "--directory", directory, "--s3-port", "\(port)"],
                environment: ["DATABASE_URL": nil, "AWS_ENDPOINT_URL_S3": nil, "AWS_ENDPOINT_URL": nil, "S3FILE_BUCKET": nil]
            ) { program in
                _ = try await program.line(containing: "S3File is ready: ")
                try await page.submit()
                let stored = try await page.stored(1)
                #expect(try await page.bytes(at: stored[0].link) == file.bytes)
            }
        }
    }

    private static func uploadEveryName(_ page: GalleryPage, _ folder: URL) async throws {
        let names = ["100%.txt", "a%20b.txt", "a&b<c>.txt", "ünï 文.txt"]
        var files = try names.map { try SampleFile($0, in: folder, text: "the content of \($0)\n") }
        files.append(try SampleFile("same.txt", in: folder.appendingPathComponent("first"), text: "first"))
        files.append(try SampleFile("same.txt", in: folder.appendingPathComponent("second"), text: "second"))
        files.append(try SampleFile("empty.bin", in: folder, text: ""))
        try await page.choose(files.map(\.url), in: "documents")
        #expect(try await page.rows().count == files.count)
        try await page.submit()
        let stored = try await page.stored(files.count)
        #expect(Set(stored.map(\.link)).count == files.count)
        var arrived: [String] = []
        for upload in stored {
            arrived.append("\(upload.name): \(String(decoding: try await page.bytes(at: upload.link), as: UTF8.self))")
        }
        #expect(arrived.sorted() == files.map { "\($0.name): \(String(decoding: $0.bytes, as: UTF8.self))" }.sorted())
        #expect(try await page.browser.complaints() == [])
    }

    /// A port where nobody listens.
    private static func freePort() async throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        try #require(done)
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
