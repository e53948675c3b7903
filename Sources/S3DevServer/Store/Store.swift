import Foundation
import Logging
import S3
import NIOConcurrencyHelpers

/// Buckets and objects in a folder.
///
///     <directory>/lock                              held by the one server that uses the folder
///     <directory>/tmp/                              emptied at each start
///     <directory>/buckets/<bucket>/created          milliseconds since 1970
///     <directory>/buckets/<bucket>/config/<name>    documents that clients put: cors, lifecycle, versioning
///     <directory>/buckets/<bucket>/objects/ab/<SHA-256 of the key>       see ``ObjectFileName`` and ``ObjectFile``
///     <directory>/buckets/<bucket>/uploads/<upload id>/<part number>     likewise; `upload` is the record of the whole
///
/// A write becomes visible, and survives a kill, by one rename. Before that its file is brought to the disk, and after it the
/// folder it went to, both before the client hears of it: so it survives the loss of power, too. Deletions bring each folder to the
/// disk once a request, several at a time. Without ``synchronizes`` all of that is left to the system, and a kill alone loses nothing.
///
/// Every method blocks: call them by ``Disk``.
final class Store: Sendable {
    struct State {
        var buckets: [String: BucketIndex] = [:]
        var uploads: [String: UploadRecord] = [:]
        private var lastOrder: UInt64 = 0

        /// Later than every version that is there, whatever the clock says.
        mutating func nextOrder(_ now: Date) -> UInt64 {
            self.lastOrder = max(self.lastOrder + 1, UInt64(max(0, now.milliseconds)) * 1_000_000)
            return self.lastOrder
        }

        mutating func noteOrder(_ order: UInt64) {
            self.lastOrder = max(self.lastOrder, order)
        }
    }

    let directory: String
    let synchronizes: Bool
    let now: @Sendable () -> Date
    let age: @Sendable (String) -> TimeInterval
    let journal: StoreJournal?
    let state = NIOLockedValueBox(State())
    private let lock: Int32
    private let logger: Logger

    init(
        directory: String,
        synchronizes: Bool = true,
        now: @escaping @Sendable () -> Date = { Date() },
        age: @escaping @Sendable (String) -> TimeInterval = { _ in 0 },
        journal: StoreJournal? = nil,
        logger: Logger
    ) throws {
        self.directory = directory
        self.synchronizes = synchronizes
        self.now = now
        self.age = age
        self.journal = journal
        self.logger = logger
        do {
            try Files.createDirectory("\(directory)/buckets")
            self.lock = try Files.lock("\(directory)/lock")
        } catch {
            guard !error.isOccupied else {
                throw S3DevServerError(
                    .folderInUse,
                    "Another S3DevServer is using the folder '\(directory)'; stop it or use another folder."
                )
            }
            throw Self.unusable(directory, error)
        }
        do {
            try Files.removeTree("\(directory)/tmp")
            try Files.createDirectory("\(directory)/tmp")
            try self.load()
        } catch {
            // Whole by now, it is deinitialised, and that gives up the lock.
            throw Self.unusable(directory, error)
        }
    }

    deinit {
        Files.shut(self.lock)
    }

    private static func unusable(_ directory: String, _ error: any Error) -> S3DevServerError {
        S3DevServerError(
            .folderUnusable,
            "S3DevServer cannot write to the folder '\(directory)' (\(error)); make it writable or use another folder."
        )
    }

    // MARK: Paths

    func bucketPath(_ bucket: String) -> String { "\(self.directory)/buckets/\(bucket)" }

    func objectPath(_ bucket: String, _ key: ObjectKey, _ version: String? = nil) -> String {
        "\(self.bucketPath(bucket))/objects/\(ObjectFileName(key, version: version).path)"
    }

    func uploadPath(_ bucket: String, _ uploadID: String) -> String { "\(self.bucketPath(bucket))/uploads/\(uploadID)" }

    func temporaryPath() -> String { "\(self.directory)/tmp/\(UUID().uuidString)" }

    // MARK: Start

    private func load() throws {
        for bucket in try Files.names(in: "\(self.directory)/buckets") where BucketName.isValid(bucket) {
            let path = self.bucketPath(bucket)
            guard
                let created = try? String(contentsOfFile: "\(path)/created", encoding: .utf8),
                let milliseconds = Int64(created)
            else {
                self.logger.warning("Left a folder alone that is no bucket", metadata: ["path": "\(path)"])
                continue
            }
            var index = BucketIndex(created: milliseconds)
            var uploads = try self.loadUploads(of: bucket)
            index.load(try self.records(of: bucket, ending: &uploads))
            try self.loadSettings(of: bucket, into: &index)
            self.state.withLockedValue { state in
                for key in index.keys {
                    state.noteOrder(index.current(key)?.order ?? 0)
                }
                state.buckets[bucket] = index
                state.uploads.merge(uploads) { $1 }
            }
        }
    }

    /// - Parameter uploads: those that an object was made of end here: a kill came between the two.
    private func records(
        of bucket: String,
        ending uploads: inout [String: UploadRecord]
    ) throws -> [(key: ObjectKey, entry: BucketIndex.Entry)] {
        var records: [(key: ObjectKey, entry: BucketIndex.Entry)] = []
        let objects = "\(self.bucketPath(bucket))/objects"
        for folder in try Files.names(in: objects) {
            let names = try Files.names(in: "\(objects)/\(folder)")
            let tagged = Set(names.filter { $0.hasSuffix(".tags") })
            for name in names where !tagged.contains(name) {
                let path = "\(objects)/\(folder)/\(name)"
                guard let fileName = ObjectFileName(name), let record = try? ObjectFile(path: path).record,
                    let key = try? ObjectKey(record.key), ObjectFileName(key, version: record.version) == fileName
                else {
                    self.logger.warning("Left a file alone that is no object", metadata: ["path": "\(path)"])
                    continue
                }
                if let upload = record.upload.flatMap({ uploads.removeValue(forKey: $0) }) {
                    try self.removeFolder(of: upload)
                }
                var entry = BucketIndex.Entry(record)
                if tagged.contains("\(name).tags") {
                    entry.tags = try self.loadTags("\(path).tags", of: entry)
                }
                records.append((key, entry))
            }
        }
        return records
    }

    /// Tags beside an object that are of the one before it are thrown away.
    private func loadTags(_ path: String, of entry: BucketIndex.Entry) throws -> [ObjectTag]? {
        let record = FileManager.default.contents(atPath: path).flatMap { try? JSONDecoder().decode(TagRecord.self, from: $0) }
        guard let record, record.order == entry.order else {
            try Files.remove(path)
            return nil
        }
        return record.tags
    }

    // MARK: Buckets

    static func noSuchBucket() -> S3Error {
        S3Error(.noSuchBucket, status: 404, message: "The specified bucket does not exist")
    }

    func requireBucket(_ bucket: String) throws {
        guard self.state.withLockedValue({ $0.buckets[bucket] != nil }) else {
            throw Self.noSuchBucket()
        }
    }

    /// The buckets by name, and when they were made.
    func buckets() -> [(name: String, created: Date)] {
        self.state.withLockedValue { state in
            state.buckets.map { ($0.key, Date(timeIntervalSince1970: Double($0.value.created) / 1000)) }
        }.sorted { $0.name < $1.name }
    }

    /// - Returns: false when the bucket was there already.
    func createBucket(_ bucket: String) throws -> Bool {
        guard BucketName.isValid(bucket) else {
            throw S3Error(S3Error.Code("InvalidBucketName"), status: 400, message: "The specified bucket is not valid.")
        }
        let created = self.now().milliseconds
        let temporary = self.temporaryPath()
        try Files.createDirectory(temporary)
        try self.write(Array(String(created).utf8), to: "\(temporary)/created")
        try self.synchronizeDirectory(temporary)
        return try self.state.withLockedValue { state in
            guard state.buckets[bucket] == nil else {
                try Files.removeTree(temporary)
                return false
            }
            try Files.move(temporary, to: self.bucketPath(bucket))
            try self.synchronizeDirectory("\(self.directory)/buckets")
            state.buckets[bucket] = BucketIndex(created: created)
            return true
        }
    }

    func deleteBucket(_ bucket: String) throws {
        let temporary = self.temporaryPath()
        try self.state.withLockedValue { state in
            guard let index = state.buckets[bucket] else {
                throw Self.noSuchBucket()
            }
            guard index.keys.isEmpty else {
                throw S3Error(.bucketNotEmpty, status: 409, message: "The bucket you tried to delete is not empty")
            }
            try Files.move(self.bucketPath(bucket), to: temporary)
            try self.synchronizeDirectory("\(self.directory)/buckets")
            state.buckets[bucket] = nil
            state.uploads = state.uploads.filter { $0.value.bucket != bucket }
        }
        try Files.removeTree(temporary)
    }

    // MARK: Disk

    func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = try Files.open(path, O_WRONLY | O_CREAT | O_EXCL)
        defer { Files.shut(descriptor) }
        try bytes.withUnsafeBytes { try Files.writeAll($0, to: descriptor) }
        if self.synchronizes {
            try Files.synchronize(descriptor)
        }
    }

    func synchronizeDirectory(_ path: String) throws(FileError) {
        if self.synchronizes {
            try Files.synchronizeDirectory(path)
        }
    }

    static func parent(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    }

    func synchronizeParent(of path: String) throws {
        try self.synchronizeDirectory(Self.parent(of: path))
    }

    func makeWriter(hashingSHA256: Bool = false, checksums: [Checksum.Algorithm] = []) throws -> ObjectWriter {
        try ObjectWriter(
            path: self.temporaryPath(),
            synchronizes: self.synchronizes,
            hashingSHA256: hashingSHA256,
            checksums: checksums
        )
    }
}
