/// A page of a bucket's versions: by key, and of a key the newest first.
struct VersionListing: Sendable {
    struct Request: Sendable {
        var prefix: [UInt8] = []
        var delimiter: [UInt8] = []
        var maximum = 1000
        var keyMarker: [UInt8] = []
        /// With it, the page begins within the versions of `keyMarker`.
        var versionMarker: ObjectVersion?
    }

    struct Item: Sendable {
        var key: ObjectKey
        var entry: BucketIndex.Entry
        var isLatest: Bool
    }

    struct Marker: Sendable {
        var key: [UInt8]
        /// nil behind a common prefix.
        var version: ObjectVersion?
    }

    var items: [Item] = []
    var prefixes: [[UInt8]] = []
    /// nil when nothing follows.
    var next: Marker?

    init(_ request: Request, of index: BucketIndex) {
        var position = index.firstIndex(notBefore: request.prefix)
        var marker = request.versionMarker
        if !request.keyMarker.isEmpty {
            let isGroup =
                marker == nil && !request.delimiter.isEmpty && request.keyMarker.ends(with: request.delimiter)
                && request.keyMarker.count > request.prefix.count
            let start =
                isGroup
                ? Listing.end(of: request.keyMarker, in: index)
                : index.firstIndex(notBefore: marker == nil ? request.keyMarker + [0] : request.keyMarker)
            position = max(position, start)
        }
        var last: Marker?
        while position < index.keys.count {
            let key = index.keys[position]
            guard key.bytes.starts(with: request.prefix) else {
                break
            }
            if let end = Listing.end(of: request.delimiter, in: key.bytes, from: request.prefix.count) {
                guard self.items.count + self.prefixes.count < request.maximum else {
                    self.next = last
                    return
                }
                let prefix = Array(key.bytes[..<end])
                self.prefixes.append(prefix)
                last = Marker(key: prefix)
                position = Listing.end(of: prefix, in: index)
                continue
            }
            let versions = index.versions(key)
            let start = marker.flatMap { key.bytes == request.keyMarker ? Self.position(behind: $0, in: versions) : nil } ?? 0
            marker = nil
            for number in start..<versions.count {
                guard self.items.count + self.prefixes.count < request.maximum else {
                    self.next = last
                    return
                }
                self.items.append(Item(key: key, entry: versions[number], isLatest: number == 0))
                last = Marker(key: key.bytes, version: ObjectVersion(id: versions[number].version))
            }
            position += 1
        }
    }

    /// Where to go on behind a version, which may have been deleted meanwhile.
    private static func position(behind version: ObjectVersion, in versions: [BucketIndex.Entry]) -> Int {
        if let found = versions.firstIndex(where: { $0.version == version.id }) {
            return found + 1
        }
        guard let order = version.id.flatMap({ ObjectVersion.order(ofID: $0) }) else {
            return 0
        }
        return versions.firstIndex { $0.order < order } ?? versions.count
    }
}

extension Collection where Element == UInt8 {
    func ends(with suffix: some Collection<UInt8>) -> Bool {
        self.count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}
