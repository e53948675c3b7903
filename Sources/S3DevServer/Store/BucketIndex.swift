import Foundation

/// What the store knows of a bucket without opening files: every key in the order of its bytes, with its versions.
struct BucketIndex: Sendable {
    enum Versioning: String, Sendable {
        case unversioned
        case enabled = "Enabled"
        case suspended = "Suspended"
    }

    /// One version of an object, or a delete marker.
    struct Entry: Sendable {
        var size: Int64
        var etag: String
        var modified: Int64
        var order: UInt64
        /// nil is the `null` version.
        var version: String?
        var isDeleteMarker: Bool
        var storageClass: String?
        var checksum: Checksum.Algorithm?
        var checksumType: ChecksumType?
        /// Set by PutObjectTagging, which leaves the object's file as it is.
        var tags: [ObjectTag]?

        init(_ record: ObjectRecord) {
            self.size = record.size
            self.etag = record.etag
            self.modified = record.modified
            self.order = record.order
            self.version = record.version
            self.isDeleteMarker = record.isDeleteMarker ?? false
            self.storageClass = record.attributes.storageClass
            self.checksum = Checksum.Algorithm.allCases.first { record.checksums[$0.headerName] != nil }
            self.checksumType = record.checksumType
        }

        var modifiedDate: Date { Date(timeIntervalSince1970: Double(self.modified) / 1000) }
    }

    /// Hardly any key has more than one version: those cost nothing until they are there.
    private struct Versions: Sendable {
        var current: Entry
        /// The newest first.
        var older: [Entry] = []

        var all: [Entry] { [self.current] + self.older }

        init?(_ entries: [Entry]) {
            guard let first = entries.first else {
                return nil
            }
            self.current = first
            self.older = Array(entries.dropFirst())
        }

        init(_ entry: Entry) {
            self.current = entry
        }
    }

    let created: Int64
    var versioning = Versioning.unversioned
    /// The rules that were put for the bucket; nil leaves browsers to the server's own configuration.
    var cors: [CORS.Rule]?
    private(set) var keys: [ObjectKey] = []
    private var entries: [ObjectKey: Versions] = [:]

    init(created: Int64) {
        self.created = created
    }

    /// The current version, which may be a delete marker.
    func current(_ key: ObjectKey) -> Entry? { self.entries[key]?.current }

    /// The object that is there to be read.
    subscript(_ key: ObjectKey) -> Entry? {
        guard let current = self.entries[key]?.current, !current.isDeleteMarker else {
            return nil
        }
        return current
    }

    /// The newest first.
    func versions(_ key: ObjectKey) -> [Entry] { self.entries[key]?.all ?? [] }

    func version(_ version: String?, of key: ObjectKey) -> Entry? {
        guard let versions = self.entries[key] else {
            return nil
        }
        return versions.current.version == version ? versions.current : versions.older.first { $0.version == version }
    }

    /// For filling an index from a folder: many at once, sorted once.
    mutating func load(_ records: [(key: ObjectKey, entry: Entry)]) {
        for record in records {
            self.place(record.entry, for: record.key)
        }
        self.keys = self.entries.keys.sorted()
    }

    mutating func set(_ entry: Entry, for key: ObjectKey) {
        if self.place(entry, for: key) {
            self.keys.insert(key, at: self.firstIndex(notBefore: key.bytes))
        }
    }

    /// Puts a version where it belongs, in the place of the one with the same id.
    ///
    /// - Returns: whether the key is new.
    @discardableResult
    private mutating func place(_ entry: Entry, for key: ObjectKey) -> Bool {
        guard let versions = self.entries[key] else {
            self.entries[key] = Versions(entry)
            return true
        }
        guard !versions.older.isEmpty || versions.current.version != entry.version else {
            self.entries[key] = Versions(entry)
            return false
        }
        var all = versions.all.filter { $0.version != entry.version }
        all.insert(entry, at: all.firstIndex { $0.order < entry.order } ?? all.endIndex)
        self.entries[key] = Versions(all)
        return false
    }

    mutating func remove(_ version: String?, of key: ObjectKey) {
        guard let versions = self.entries[key] else {
            return
        }
        if let left = Versions(versions.all.filter { $0.version != version }) {
            self.entries[key] = left
        } else {
            self.entries[key] = nil
            self.keys.remove(at: self.firstIndex(notBefore: key.bytes))
        }
    }

    /// The position of the first key that is not before `bytes`.
    func firstIndex(notBefore bytes: [UInt8]) -> Int {
        var low = 0
        var high = self.keys.count
        while low < high {
            let middle = (low + high) / 2
            if self.keys[middle].precedes(bytes) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
