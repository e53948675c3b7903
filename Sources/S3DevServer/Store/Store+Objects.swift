import Foundation
import NIOConcurrencyHelpers
import S3

/// What is to become of a written file.
struct ObjectWrite: Sendable {
    var bucket: String
    var key: ObjectKey
    var etag: String
    var attributes = ObjectAttributes()
    var checksums: [String: String] = [:]
    var checksumType: ChecksumType?
    var parts: [ObjectRecord.Part]?
    var condition = WriteCondition()
    /// The multipart upload that ends with this; one that somebody else ended meanwhile commits nothing.
    var upload: UploadRecord?
}

/// What has become of it.
struct StoredObject: Sendable {
    var record: ObjectRecord
    /// The version as answers name it; nil in a bucket that never had versions.
    var version: String?
}

extension Store {
    static func noSuchKey() -> S3Error {
        S3Error(.noSuchKey, status: 404, message: "The specified key does not exist.")
    }

    /// Opens an object: the current version, or the one asked for.
    func object(_ bucket: String, _ key: ObjectKey, version: ObjectVersion? = nil) throws -> ObjectFile {
        // Between a look at the index and the opening of the file, another object may take its place: then look again.
        for _ in 0..<16 {
            let (entry, shown) = try self.entry(bucket, key, version)
            do {
                let path = self.objectPath(bucket, key, entry.version)
                let file = try ObjectFile(path: path, tags: entry.tags, shownVersion: shown)
                if file.record.order == entry.order {
                    return file
                }
            } catch let error as FileError where error.isMissing {
                continue
            }
        }
        throw Self.noSuchKey()
    }

    private func entry(_ bucket: String, _ key: ObjectKey, _ version: ObjectVersion?) throws -> (BucketIndex.Entry, String?) {
        try self.state.withLockedValue { state in
            guard let versioning = state.buckets[bucket]?.versioning else {
                throw Self.noSuchBucket()
            }
            let found = version.map { state.buckets[bucket]?.version($0.id, of: key) } ?? state.buckets[bucket]?.current(key)
            guard let entry = found else {
                guard let version else {
                    throw Self.noSuchKey()
                }
                throw Refusal(
                    S3Error(.noSuchVersion, status: 404, message: "The specified version does not exist."),
                    elements: [("Key", key.text), ("VersionId", version.text)]
                )
            }
            let shown = versioning == .unversioned ? nil : ObjectVersion(id: entry.version).text
            guard !entry.isDeleteMarker else {
                throw Refusal.deleteMarker(entry, isNamed: version != nil)
            }
            return (entry, shown)
        }
    }

    /// A condition as it begins: it must hold now, and what is there now is remembered.
    func begin(_ condition: WriteCondition, _ bucket: String, _ key: ObjectKey) throws -> WriteCondition {
        try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            var condition = condition
            try condition.begin(state.buckets[bucket]?.current(key))
            return condition
        }
    }

    /// Makes a written file the object of its key, in one step for whoever reads.
    func commit(_ writer: ObjectWriter, _ write: ObjectWrite) throws -> StoredObject {
        let (bucket, key) = (write.bucket, write.key)
        // A hopeless write need not reach the disk; what counts is checked again under the lock.
        let (order, versioning) = try self.state.withLockedValue { state in
            guard let versioning = state.buckets[bucket]?.versioning else {
                throw Self.noSuchBucket()
            }
            try write.condition.end(state.buckets[bucket]?.current(key))
            return (state.nextOrder(self.now()), versioning)
        }
        var record = ObjectRecord(
            key: key.text,
            size: writer.size,
            etag: write.etag,
            modified: self.now().addingTimeInterval(-self.age(key.text)).milliseconds,
            attributes: write.attributes,
            checksums: write.checksums
        )
        record.checksumType = write.checksumType
        record.parts = write.parts
        record.upload = write.upload?.id
        record.sequence = order
        record.version = versioning == .enabled ? ObjectVersion.makeID(order: order) : nil
        try writer.seal(record)
        let path = self.objectPath(bucket, key, record.version)
        try self.state.withLockedValue { state in
            // No copy of the index may be held here, or setting an entry would copy all of it.
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            if let upload = write.upload, state.uploads[upload.id] == nil {
                throw Self.noSuchUpload()
            }
            try write.condition.end(state.buckets[bucket]?.current(key))
            try self.place(writer, record, at: path, bucket, key, &state)
            if let upload = write.upload {
                state.uploads[upload.id] = nil
            }
        }
        try self.synchronizeParent(of: path)
        if let upload = write.upload {
            try self.removeFolder(of: upload)
        }
        return StoredObject(
            record: record,
            version: versioning == .unversioned ? nil : ObjectVersion(id: record.version).text
        )
    }

    /// Renames a sealed file to where its version belongs. The lock is held.
    func place(
        _ writer: ObjectWriter,
        _ record: ObjectRecord,
        at path: String,
        _ bucket: String,
        _ key: ObjectKey,
        _ state: inout State
    ) throws {
        let hadTags = state.buckets[bucket]?.version(record.version, of: key)?.tags != nil
        let replaced = state.buckets[bucket]?.current(key)
        try writer.move(to: path)
        state.buckets[bucket]?.set(BucketIndex.Entry(record), for: key)
        try self.noteInJournal(put: record, bucket, key, over: replaced)
        if hadTags {
            // A kill before this leaves tags of an object that is gone, which the next start throws away.
            try Files.remove("\(path).tags")
        }
    }

    func list(_ bucket: String, _ request: Listing.Request) throws -> Listing {
        // Under the lock, for the same reason: a page is short.
        try self.state.withLockedValue { state in
            guard let listing = state.buckets[bucket].map({ Listing(request, of: $0) }) else {
                throw Self.noSuchBucket()
            }
            return listing
        }
    }

    func listVersions(_ bucket: String, _ request: VersionListing.Request) throws -> VersionListing {
        try self.state.withLockedValue { state in
            guard let listing = state.buckets[bucket].map({ VersionListing(request, of: $0) }) else {
                throw Self.noSuchBucket()
            }
            return listing
        }
    }
}
