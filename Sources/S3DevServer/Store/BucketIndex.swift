/// What the store knows of a bucket without opening files: every key in the order of its bytes.
struct BucketIndex: Sendable {
    struct Entry: Sendable {
        var size: Int64
        var etag: String
        var modified: Int64

        init(_ record: ObjectRecord) {
            self.size = record.size
            self.etag = record.etag
            self.modified = record.modified
        }
    }

    let created: Int64
    private(set) var keys: [ObjectKey] = []
    private var entries: [ObjectKey: Entry] = [:]

    init(created: Int64) {
        self.created = created
    }

    subscript(_ key: ObjectKey) -> Entry? { self.entries[key] }

    /// For filling an index from a folder: many at once, sorted once.
    mutating func load(_ records: [(key: ObjectKey, entry: Entry)]) {
        for record in records {
            self.entries[record.key] = record.entry
        }
        self.keys = self.entries.keys.sorted()
    }

    mutating func set(_ entry: Entry, for key: ObjectKey) {
        if self.entries.updateValue(entry, forKey: key) == nil {
            self.keys.insert(key, at: self.firstIndex(notBefore: key.bytes))
        }
    }

    mutating func remove(_ key: ObjectKey) {
        if self.entries.removeValue(forKey: key) != nil {
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
