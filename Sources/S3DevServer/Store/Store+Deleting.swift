import Foundation
import NIOConcurrencyHelpers
import S3

/// An object to be deleted.
struct DeletionRequest: Sendable {
    var key: ObjectKey
    /// nil deletes the object; in a bucket with versions that puts a delete marker on top of them.
    var version: ObjectVersion?
    var condition = WriteCondition()
}

/// What a deletion did.
struct Deletion: Sendable {
    /// The version that was deleted or, when a marker was put, the marker's; nil in a bucket that never had versions.
    var version: String?
    /// Whether a marker was put, or the version deleted was one.
    var isMarker = false
}

extension Store {
    /// Removes an object; one that is not there is fine unless the condition wants it.
    @discardableResult
    func delete(_ bucket: String, _ request: DeletionRequest) throws -> Deletion {
        let (deletion, path) = try self.remove(bucket, request)
        if let path {
            try self.synchronizeParent(of: path)
        }
        return deletion
    }

    /// Removes many, and answers for each. Only when the folders are on the disk as well may the client hear of it: see
    /// ``Disk/synchronize(_:)``.
    func remove(
        _ bucket: String,
        _ requests: [DeletionRequest]
    ) throws -> (results: [Result<Deletion, any Error>], folders: Set<String>) {
        var folders: Set<String> = []
        let results = requests.map { request in
            Result {
                let (deletion, path) = try self.remove(bucket, request)
                if let path {
                    folders.insert(Self.parent(of: path))
                }
                return deletion
            }
        }
        return (results, folders)
    }

    /// - Returns: what was done, and the file whose folder has changed.
    private func remove(_ bucket: String, _ request: DeletionRequest) throws -> (Deletion, path: String?) {
        guard let versioning = self.state.withLockedValue({ $0.buckets[bucket]?.versioning }) else {
            throw Self.noSuchBucket()
        }
        guard let version = request.version ?? (versioning == .unversioned ? .null : nil) else {
            return try self.mark(bucket, request, versioning)
        }
        let path = self.objectPath(bucket, request.key, version.id)
        return try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            try self.check(request, state.buckets[bucket]?.current(request.key))
            let shown = versioning == .unversioned ? nil : version.text
            guard let entry = state.buckets[bucket]?.version(version.id, of: request.key) else {
                return (Deletion(version: shown), nil)
            }
            // Somebody may have tidied the folder by hand: a file that is missing is gone all the same.
            try Files.remove(path)
            if entry.tags != nil {
                try Files.remove("\(path).tags")
            }
            state.buckets[bucket]?.remove(version.id, of: request.key)
            try self.noteInJournal(deletionOf: entry, bucket, request.key)
            return (Deletion(version: shown, isMarker: entry.isDeleteMarker), path)
        }
    }

    /// Puts a delete marker on top: a version of its own, or in the place of the `null` version while versions are suspended.
    private func mark(
        _ bucket: String,
        _ request: DeletionRequest,
        _ versioning: BucketIndex.Versioning
    ) throws -> (Deletion, path: String?) {
        let order = try self.state.withLockedValue { state in
            try self.check(request, state.buckets[bucket]?.current(request.key))
            return state.nextOrder(self.now())
        }
        var record = ObjectRecord(key: request.key.text, size: 0, etag: "", modified: self.now().milliseconds)
        record.sequence = order
        record.version = versioning == .enabled ? ObjectVersion.makeID(order: order) : nil
        record.isDeleteMarker = true
        let path = self.objectPath(bucket, request.key, record.version)
        let writer = try self.makeWriter()
        try writer.seal(record)
        try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            try self.check(request, state.buckets[bucket]?.current(request.key))
            try self.place(writer, record, at: path, bucket, request.key, &state)
        }
        return (Deletion(version: ObjectVersion(id: record.version).text, isMarker: true), path)
    }

    /// A conditional delete is held against the current version, whichever version it names
    /// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
    private func check(_ request: DeletionRequest, _ current: BucketIndex.Entry?) throws {
        if request.condition.match != nil, let current, current.isDeleteMarker {
            throw S3Error.preconditionFailed("If-Match")
        }
        try request.condition.check(current)
    }
}
