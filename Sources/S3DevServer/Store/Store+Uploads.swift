import Crypto
import Foundation
import S3
import NIOConcurrencyHelpers

/// A multipart upload that is neither complete nor aborted.
struct UploadRecord: Codable, Sendable {
    var id: String
    var bucket: String
    var key: String
    var initiated: Int64
    var attributes: ObjectAttributes
    /// What the client said that it would send with the parts; nil leaves it to the server.
    var checksumAlgorithm: String?
    var checksumType: ChecksumType?

    /// The checksum that the object is to have.
    var checksum: Checksum.Algorithm { self.checksumAlgorithm.flatMap { Checksum.Algorithm(name: $0) } ?? .standard }

    var initiatedDate: Date { Date(timeIntervalSince1970: Double(self.initiated) / 1000) }

    /// Opaque to clients. To this server it begins with the time, so that a listing can go on behind an upload that has ended meanwhile.
    static func makeID(initiated: Int64) -> String {
        SigV4.hexadecimal(
            withUnsafeBytes(of: initiated.bigEndian) { Array($0) } + (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        )
    }

    static func initiated(ofID id: String) -> Int64? { Int64(id.prefix(16), radix: 16) }
}

/// A part as it lies on the disk.
struct UploadedPart: Sendable {
    var number: Int
    var record: ObjectRecord
}

extension Store {
    static let maximumParts = 10_000

    static func noSuchUpload() -> S3Error {
        S3Error(
            .noSuchUpload,
            status: 404,
            message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
                + "or completed."
        )
    }

    func loadUploads(of bucket: String) throws -> [String: UploadRecord] {
        var uploads: [String: UploadRecord] = [:]
        for id in try Files.names(in: "\(self.bucketPath(bucket))/uploads") {
            let path = self.uploadPath(bucket, id)
            guard
                let data = FileManager.default.contents(atPath: "\(path)/upload"),
                let record = try? JSONDecoder().decode(UploadRecord.self, from: data), record.id == id, record.bucket == bucket
            else {
                continue
            }
            uploads[id] = record
        }
        return uploads
    }

    func createUpload(
        bucket: String,
        key: ObjectKey,
        attributes: ObjectAttributes,
        checksum: (algorithm: Checksum.Algorithm, type: ChecksumType)? = nil
    ) throws -> UploadRecord {
        let initiated = self.now().milliseconds
        let id = UploadRecord.makeID(initiated: initiated)
        let record = UploadRecord(
            id: id,
            bucket: bucket,
            key: key.text,
            initiated: initiated,
            attributes: attributes,
            checksumAlgorithm: checksum?.algorithm.name,
            checksumType: checksum?.type
        )
        let temporary = self.temporaryPath()
        try Files.createDirectory(temporary)
        try self.write(Array(try JSONEncoder().encode(record)), to: "\(temporary)/upload")
        try self.synchronizeDirectory(temporary)
        try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            let uploads = "\(self.bucketPath(bucket))/uploads"
            try Files.createDirectory(uploads, synchronizes: self.synchronizes)
            try Files.move(temporary, to: self.uploadPath(bucket, id))
            try self.synchronizeDirectory(uploads)
            state.uploads[id] = record
        }
        return record
    }

    func upload(_ id: String, bucket: String, key: ObjectKey) throws -> UploadRecord {
        try self.state.withLockedValue { state in
            guard state.buckets[bucket] != nil else {
                throw Self.noSuchBucket()
            }
            guard let record = state.uploads[id], record.bucket == bucket, Array(record.key.utf8) == key.bytes else {
                throw Self.noSuchUpload()
            }
            return record
        }
    }

    /// The uploads of a bucket by key, then by beginning.
    func uploads(of bucket: String) throws -> [UploadRecord] {
        try self.requireBucket(bucket)
        return self.state.withLockedValue { $0.uploads.values.filter { $0.bucket == bucket } }.sorted { one, other in
            if one.key.utf8.elementsEqual(other.key.utf8) {
                return (one.initiated, one.id) < (other.initiated, other.id)
            }
            return one.key.utf8.lexicographicallyPrecedes(other.key.utf8)
        }
    }

    func commitPart(
        _ writer: ObjectWriter,
        number: Int,
        of upload: UploadRecord,
        etag: String,
        checksums: [String: String] = [:]
    ) throws -> ObjectRecord {
        let record = ObjectRecord(
            key: upload.key,
            size: writer.size,
            etag: etag,
            modified: self.now().milliseconds,
            checksums: checksums
        )
        try writer.seal(record)
        let path = self.uploadPath(upload.bucket, upload.id)
        try self.state.withLockedValue { state in
            guard state.uploads[upload.id] != nil else {
                throw Self.noSuchUpload()
            }
            try writer.move(to: "\(path)/\(number)")
        }
        try self.synchronizeDirectory(path)
        return record
    }

    func part(_ number: Int, of upload: UploadRecord) throws -> ObjectFile? {
        do {
            return try ObjectFile(path: "\(self.uploadPath(upload.bucket, upload.id))/\(number)")
        } catch let error as FileError where error.isMissing {
            return nil
        }
    }

    /// A page of the parts that have arrived, and whether more follow.
    func parts(of upload: UploadRecord, after marker: Int = 0, maximum: Int = .max) throws -> ([UploadedPart], isTruncated: Bool)
    {
        let path = self.uploadPath(upload.bucket, upload.id)
        let numbers = try Files.names(in: path).compactMap { Int($0) }.filter { $0 > marker }.sorted()
        let page = try numbers.prefix(maximum).compactMap { number in
            try self.part(number, of: upload).map { UploadedPart(number: number, record: $0.record) }
        }
        return (page, maximum > 0 && page.count < numbers.count)
    }

    /// The ETag S3 gives an object of several parts: the MD5 of their MD5s, and their number.
    static func etag(ofParts etags: [String]) -> String {
        let digests = etags.flatMap { etag in
            let digits = Array(etag.utf8)
            return stride(from: 0, to: digits.count - 1, by: 2).compactMap { index in
                UInt8(String(decoding: digits[index...(index + 1)], as: UTF8.self), radix: 16)
            }
        }
        return "\(SigV4.hexadecimal(Insecure.MD5.hash(data: digests)))-\(etags.count)"
    }

    func abort(_ upload: UploadRecord) throws {
        guard self.state.withLockedValue({ $0.uploads.removeValue(forKey: upload.id) != nil }) else {
            throw Self.noSuchUpload()
        }
        try self.removeFolder(of: upload)
    }

    /// Removes what an upload that is no longer known has on the disk.
    func removeFolder(of upload: UploadRecord) throws {
        let temporary = self.temporaryPath()
        try Files.move(self.uploadPath(upload.bucket, upload.id), to: temporary)
        try self.synchronizeDirectory("\(self.bucketPath(upload.bucket))/uploads")
        try Files.removeTree(temporary)
    }
}
