import Foundation
import Logging
import NIOCore
import S3
import Testing

@testable import S3DevServer

@Suite("Store")
struct StoreTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID().uuidString)").path
    private let logger = Logger(label: "StoreTests", factory: { _ in SwiftLogNoOpLogHandler() })

    private func open(_ directory: String? = nil) throws -> Store {
        let store = try Store(directory: directory ?? self.directory, synchronizes: false, logger: self.logger)
        _ = try store.createBucket("bucket")
        return store
    }

    private func put(_ store: Store, _ key: String, _ text: String, condition: WriteCondition = WriteCondition()) throws {
        let writer = try store.makeWriter()
        try writer.write([ByteBuffer(string: text)])
        _ = try store.commit(
            writer,
            ObjectWrite(bucket: "bucket", key: ObjectKey(key), etag: writer.digests().md5, condition: condition)
        )
    }

    private func text(_ store: Store, _ key: String) throws -> String {
        let file = try store.object("bucket", ObjectKey(key))
        return String(buffer: try file.read(at: 0, length: Int(file.record.size)))
    }

    /// The folder as it is now: what a kill at this moment would leave, opened anew.
    private func afterKill() throws -> (store: Store, leftovers: [String]) {
        let copy = "\(self.directory)-copy-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: self.directory, toPath: copy)
        let store = try self.open(copy)
        return (store, try FileManager.default.contentsOfDirectory(atPath: "\(copy)/tmp"))
    }

    private func removeFolders() {
        let parent = FileManager.default.temporaryDirectory
        let name = (self.directory as NSString).lastPathComponent
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? [] where entry.hasPrefix(name) {
            try? FileManager.default.removeItem(at: parent.appending(path: entry))
        }
    }

    @Test("A kill between an upload's object and the end of its parts brings the upload not back")
    func killedCompletion() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        let key = try ObjectKey("k")
        let upload = try store.createUpload(bucket: "bucket", key: key, attributes: ObjectAttributes())
        let other = try store.createUpload(bucket: "bucket", key: key, attributes: ObjectAttributes())
        let folder = store.uploadPath("bucket", upload.id)
        try FileManager.default.copyItem(atPath: folder, toPath: "\(self.directory)-parts")
        let writer = try store.makeWriter()
        try writer.write([ByteBuffer(string: "whole")])
        var write = ObjectWrite(bucket: "bucket", key: key, etag: writer.digests().md5)
        write.upload = upload
        _ = try store.commit(writer, write)
        try FileManager.default.moveItem(atPath: "\(self.directory)-parts", toPath: folder)

        let (killed, leftovers) = try self.afterKill()
        #expect(try killed.uploads(of: "bucket").map(\.id) == [other.id])
        #expect(try self.text(killed, "k") == "whole" && leftovers.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: killed.uploadPath("bucket", upload.id)))
    }

    @Test("An object of ten thousand parts with the longest checksums can be read; one whose record could not be is refused")
    func longRecord() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        func put(_ key: String, parts: Int) throws {
            let writer = try store.makeWriter()
            var write = ObjectWrite(bucket: "bucket", key: try ObjectKey(key), etag: "e-\(parts)")
            let checksum = String(repeating: "x", count: 88)
            write.parts = (1...parts).map {
                ObjectRecord.Part(number: $0, size: 5 << 30, checksums: ["x-amz-checksum-sha512": checksum])
            }
            _ = try store.commit(writer, write)
        }
        try put("most", parts: Store.maximumParts)
        #expect(try self.afterKill().store.object("bucket", ObjectKey("most")).record.parts?.count == Store.maximumParts)
        #expect(throws: FileError.self) { try put("more", parts: 40_000) }
        #expect(throws: S3Error.self) { try store.object("bucket", ObjectKey("more")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(self.directory)/tmp").isEmpty)
    }

    @Test("A kill at any step of a write leaves the old object whole or the new one, and no leftovers")
    func kill() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        try self.put(store, "k", "old")

        func expect(_ content: String, _ step: Comment) throws {
            let (killed, leftovers) = try self.afterKill()
            #expect(try self.text(killed, "k") == content, step)
            #expect(try killed.list("bucket", Listing.Request()).objects.map(\.entry.size) == [Int64(content.utf8.count)], step)
            #expect(throws: S3Error.self, step) { try killed.object("bucket", ObjectKey("other")) }
            #expect(leftovers.isEmpty, step)
        }
        let writer = try store.makeWriter()
        try expect("old", "opened")
        try writer.write([ByteBuffer(string: "newer")])
        try expect("old", "written")
        let record = ObjectRecord(key: "k", size: 5, etag: writer.digests().md5, modified: 0)
        try writer.seal(record)
        try expect("old", "sealed")
        try writer.move(to: store.objectPath("bucket", ObjectKey("k")))
        try expect("newer", "moved")
    }

    @Test("A write that is dropped leaves nothing, even before the server is started again")
    func dropped() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        do {
            let writer = try store.makeWriter()
            try writer.write([ByteBuffer(string: "half")])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(self.directory)/tmp").isEmpty)
        #expect(try store.list("bucket", Listing.Request()).objects.isEmpty)
    }

    @Test("Objects, records, uploads and documents are there after a restart")
    func restart() throws {
        defer { self.removeFolders() }
        do {
            let store = try self.open()
            let writer = try store.makeWriter()
            try writer.write([ByteBuffer(string: "content")])
            _ = try store.commit(
                writer,
                ObjectWrite(
                    bucket: "bucket",
                    key: ObjectKey("a/../ü"),
                    etag: "e",
                    attributes: ObjectAttributes(contentType: "text/plain", metadata: ["note": "ü"])
                )
            )
            try store.setDocument("cors", of: "bucket", to: Array("<a/>".utf8))
            let upload = try store.createUpload(bucket: "bucket", key: ObjectKey("m"), attributes: ObjectAttributes())
            let part = try store.makeWriter()
            try part.write([ByteBuffer(string: "part")])
            _ = try store.commitPart(part, number: 7, of: upload, etag: "p")
        }
        let store = try self.open()
        let record = try store.object("bucket", ObjectKey("a/../ü")).record
        #expect(record.attributes == ObjectAttributes(contentType: "text/plain", metadata: ["note": "ü"]))
        #expect(try self.text(store, "a/../ü") == "content")
        #expect(try store.document("cors", of: "bucket") == Array("<a/>".utf8))
        let upload = try #require(try store.uploads(of: "bucket").first)
        #expect(try store.parts(of: upload).0.map(\.number) == [7])
        try store.abort(upload)
        #expect(try store.uploads(of: "bucket").isEmpty)
    }

    @Test("A reader keeps the object it opened while that is replaced and deleted")
    func replacedWhileRead() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        try self.put(store, "k", "first")
        let file = try store.object("bucket", ObjectKey("k"))
        try self.put(store, "k", "second, longer")
        #expect(String(buffer: try file.read(at: 0, length: 5)) == "first")
        try store.delete("bucket", DeletionRequest(key: ObjectKey("k")))
        #expect(String(buffer: try file.read(at: 0, length: 5)) == "first")
        #expect(file.record.size == 5)
        #expect(throws: S3Error.self) { try store.object("bucket", ObjectKey("k")) }
    }

    @Test("Of two writers that both found no object, one wins")
    func race() async throws {
        defer { self.removeFolders() }
        let store = try self.open()
        let wins = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<16 {
                group.addTask {
                    (try? self.put(store, "k", "\(number)", condition: WriteCondition(requiresNone: true))) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wins == 1)
    }

    @Test("Keys that differ in Unicode's composition are different objects")
    func composition() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        try self.put(store, "\u{E9}", "composed")
        try self.put(store, "e\u{301}", "decomposed")
        #expect(try self.text(store, "\u{E9}") == "composed")
        #expect(try self.text(store, "e\u{301}") == "decomposed")
        #expect(try store.list("bucket", Listing.Request()).objects.count == 2)
    }

    @Test("A file that is no object is left alone and not served")
    func strangeFiles() throws {
        defer { self.removeFolders() }
        let path: String
        do {
            let store = try self.open()
            try self.put(store, "k", "content")
            path = store.objectPath("bucket", try ObjectKey("k"))
            let folder = (path as NSString).deletingLastPathComponent
            try Data("torn".utf8).write(to: URL(fileURLWithPath: "\(folder)/torn"))
            // A true object under the name of another key.
            try FileManager.default.copyItem(atPath: path, toPath: "\(folder)/\(try ObjectKey("other").fileName)")
        }
        let store = try self.open()
        #expect(try store.list("bucket", Listing.Request()).objects.map(\.key.text) == ["k"])
        #expect(try self.text(store, "k") == "content")
    }

    @Test("A page of 100,000 keys is found without going through them")
    func manyKeys() throws {
        var index = BucketIndex(created: 0)
        let record = ObjectRecord(key: "", size: 1, etag: "e", modified: 0)
        index.load(
            try (0..<100_000).map { number in
                (try ObjectKey("folder-\(number % 100)/\(number)"), BucketIndex.Entry(record))
            }
        )
        var page = Listing.Request(delimiter: Array("/".utf8))
        // The thread's own time, which a busy machine does not stretch.
        let took = try threadTime {
            #expect(Listing(page, of: index).prefixes.count == 100)
            page.delimiter = []
            page.after = .key(Array("folder-5".utf8))
            let listing = Listing(page, of: index)
            #expect(listing.objects.count == 1000)
            #expect(listing.objects[0].key.text == "folder-5/10005")
            for number in 0..<100 {
                index.set(BucketIndex.Entry(record), for: try ObjectKey("new-\(number)"))
            }
        }
        #expect(index.keys.count == 100_100)
        #expect(took < 2)
    }

    @Test("One server at a time uses a folder, and an unusable folder is told in a sentence")
    func folders() throws {
        defer { self.removeFolders() }
        let store = try self.open()
        let taken = #expect(throws: S3DevServerError.self) { try self.open() }
        #expect(taken?.code == .folderInUse)
        withExtendedLifetime(store) {}
        let unusable = #expect(throws: S3DevServerError.self) { try self.open("/dev/null/folder") }
        #expect(unusable?.code == .folderUnusable)
        #expect(unusable?.description.contains("make it writable or use another folder") == true)
    }
}

private func threadTime(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try body()
    return now() - start
}
