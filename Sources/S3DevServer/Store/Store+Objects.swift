import Foundation
import S3
import NIOConcurrencyHelpers

/// What must be true of the object that is there for a write or a delete to happen.
struct WriteCondition: Sendable {
    /// `If-None-Match: *`
    var requiresNone = false
    /// `If-Match`: an ETag, or `*` for any object.
    var match: String?

    func check(_ entry: BucketIndex.Entry?) throws {
        let failed = S3Error(
            .preconditionFailed,
            status: 412,
            message: "At least one of the pre-conditions you specified did not hold"
        )
        if self.requiresNone, entry != nil {
            throw failed
        }
        guard let match = self.match else {
            return
        }
        guard let entry else {
            throw Store.noSuchKey()
        }
        guard match == "*" || ETag.unquoted(match) == entry.etag else {
            throw failed
        }
    }
}

enum ETag {
    static func quoted(_ etag: String) -> String { "\"\(etag)\"" }

    /// Clients send an ETag with its quotes or without them; S3 takes both.
    static func unquoted(_ etag: some StringProtocol) -> String {
        guard etag.utf8.count >= 2, etag.hasPrefix("\""), etag.hasSuffix("\"") else {
            return String(etag)
        }
        return String(etag.dropFirst().dropLast())
    }
}

extension Store {
    static func noSuchKey() -> S3Error {
        S3Error(.noSuchKey, status: 404, message: "The specified key does not exist.")
    }

    func object(_ bucket: String, _ key: ObjectKey) throws -> ObjectFile {
        try self.requireBucket(bucket)
        do {
            return try ObjectFile(path: self.objectPath(bucket, key))
        } catch let error as FileError where error.isMissing {
            throw Self.noSuchKey()
        }
    }

    /// Makes a written file the object of its key, in one step for whoever reads.
    ///
    /// - Parameter upload: the multipart upload that ends with this; one that somebody else ended meanwhile commits nothing.
    func commit(
        _ writer: ObjectWriter,
        bucket: String,
        key: ObjectKey,
        etag: String,
        attributes: ObjectAttributes,
        checksums: [String: String] = [:],
        condition: WriteCondition = WriteCondition(),
        completing upload: UploadRecord? = nil
    ) throws -> ObjectRecord {
        // A hopeless write need not reach the disk; what counts is checked again under the lock.
        try self.check(condition, bucket, key)
        let record = ObjectRecord(
            key: key.text,
            size: writer.size,
            etag: etag,
            modified: self.now().milliseconds,
            attributes: attributes,
            checksums: checksums
        )
        try writer.seal(record)
        let path = self.objectPath(bucket, key)
        try self.state.withLockedValue { state in
            // No copy of the index may be held here, or setting an entry would copy all of it.
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            if let upload, state.uploads[upload.id] == nil {
                throw Self.noSuchUpload()
            }
            try condition.check(state.buckets[bucket]?[key])
            try writer.move(to: path)
            state.buckets[bucket]?.set(BucketIndex.Entry(record), for: key)
            if let upload {
                state.uploads[upload.id] = nil
            }
        }
        try self.synchronizeParent(of: path)
        if let upload {
            try self.removeFolder(of: upload)
        }
        return record
    }

    func check(_ condition: WriteCondition, _ bucket: String, _ key: ObjectKey) throws {
        try self.state.withLockedValue { state in
            guard let index = state.buckets[bucket] else {
                throw Self.noSuchBucket()
            }
            try condition.check(index[key])
        }
    }

    /// Removes an object; one that is not there is fine unless the condition wants it.
    func delete(_ bucket: String, _ key: ObjectKey, condition: WriteCondition = WriteCondition()) throws {
        let path = self.objectPath(bucket, key)
        let existed = try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            let entry = state.buckets[bucket]?[key]
            try condition.check(entry)
            guard entry != nil else {
                return false
            }
            // Somebody may have tidied the folder by hand: a file that is missing is gone all the same.
            try Files.remove(path)
            state.buckets[bucket]?.remove(key)
            return true
        }
        if existed {
            try self.synchronizeParent(of: path)
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
}
