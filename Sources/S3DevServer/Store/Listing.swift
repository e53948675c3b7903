/// A page of a bucket's keys.
struct Listing: Sendable {
    struct Request: Sendable {
        var prefix: [UInt8] = []
        var delimiter: [UInt8] = []
        var maximum = 1000
        /// Only what comes behind this.
        var after: Position?
    }

    /// Where a page ended.
    enum Position: Hashable, Sendable {
        case key([UInt8])
        /// A common prefix: every key under it has been told of.
        case prefix([UInt8])
    }

    var objects: [(key: ObjectKey, entry: BucketIndex.Entry)] = []
    var prefixes: [[UInt8]] = []
    /// nil when nothing follows.
    var next: Position?

    init(_ request: Request, of index: BucketIndex) {
        var position = index.firstIndex(notBefore: request.prefix)
        switch request.after {
        case .key(let key): position = max(position, index.firstIndex(notBefore: key + [0]))
        case .prefix(let prefix): position = max(position, Self.end(of: prefix, in: index))
        case nil: break
        }
        var last: Position?
        while position < index.keys.count {
            let key = index.keys[position]
            guard key.bytes.starts(with: request.prefix) else {
                break
            }
            // Under a delete marker there is nothing to list.
            guard let entry = index[key] else {
                position += 1
                continue
            }
            guard self.objects.count + self.prefixes.count < request.maximum else {
                self.next = last
                break
            }
            if let end = Self.end(of: request.delimiter, in: key.bytes, from: request.prefix.count) {
                let prefix = Array(key.bytes[..<end])
                position = Self.end(of: prefix, in: index)
                // A page may start in the middle of a group, after start-after: S3 then still names the group.
                self.prefixes.append(prefix)
                last = .prefix(prefix)
            } else {
                self.objects.append((key, entry))
                position += 1
                last = .key(key.bytes)
            }
        }
    }

    /// The position behind the last key that starts with `prefix`.
    static func end(of prefix: [UInt8], in index: BucketIndex) -> Int {
        var successor = prefix
        // 0xFF is in no UTF-8 text, so counting up the last byte is enough.
        guard let last = successor.popLast(), last < 0xFF else {
            return index.keys.count
        }
        successor.append(last + 1)
        return index.firstIndex(notBefore: successor)
    }

    /// The position behind the first `delimiter` in `key` from `start` on.
    static func end(of delimiter: [UInt8], in key: [UInt8], from start: Int) -> Int? {
        guard let first = delimiter.first else {
            return nil
        }
        var position = start
        while let found = key[position...].firstIndex(of: first) {
            if key[found...].starts(with: delimiter) {
                return found + delimiter.count
            }
            position = found + 1
        }
        return nil
    }
}
