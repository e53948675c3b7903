import Foundation
import NIOConcurrencyHelpers
import S3

/// Tags that were put after their object, in a file beside it.
struct TagRecord: Codable, Sendable {
    /// Of the object they belong to: what took its place has tags of its own.
    var order: UInt64
    var tags: [ObjectTag]
}

extension Store {
    /// Replaces the tags of an object, which keeps its ETag, its date and its version.
    ///
    /// - Returns: the version as answers name it.
    func setTags(_ tags: [ObjectTag], of bucket: String, _ key: ObjectKey, version: ObjectVersion?) throws -> String? {
        for _ in 0..<16 {
            let file = try self.object(bucket, key, version: version)
            let temporary = self.temporaryPath()
            try self.write(Array(try JSONEncoder().encode(TagRecord(order: file.record.order, tags: tags))), to: temporary)
            let path = self.objectPath(bucket, key, file.record.version)
            let isDone = try self.state.withLockedValue { state in
                guard var entry = state.buckets[bucket]?.version(file.record.version, of: key), entry.order == file.record.order
                else {
                    return false
                }
                try Files.move(temporary, to: "\(path).tags")
                entry.tags = tags
                state.buckets[bucket]?.set(entry, for: key)
                return true
            }
            guard !isDone else {
                try self.synchronizeParent(of: path)
                return file.shownVersion
            }
            try Files.remove(temporary)
        }
        throw Self.noSuchKey()
    }
}
