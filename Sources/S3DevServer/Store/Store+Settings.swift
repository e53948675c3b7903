import Foundation
import NIOConcurrencyHelpers
import S3

/// What clients set for a bucket: documents, kept as they came, and what follows from them.
extension Store {
    func document(_ name: String, of bucket: String) throws -> [UInt8]? {
        try self.requireBucket(bucket)
        let path = "\(self.bucketPath(bucket))/config/\(name)"
        guard let data = FileManager.default.contents(atPath: path) else {
            return nil
        }
        return Array(data)
    }

    func setDocument(_ name: String, of bucket: String, to bytes: [UInt8]?) throws {
        try self.requireBucket(bucket)
        let path = "\(self.bucketPath(bucket))/config/\(name)"
        guard let bytes else {
            try Files.remove(path)
            return
        }
        let temporary = self.temporaryPath()
        try self.write(bytes, to: temporary)
        try Files.createDirectory("\(self.bucketPath(bucket))/config")
        try Files.move(temporary, to: path)
        try self.synchronizeDirectory("\(self.bucketPath(bucket))/config")
    }

    func setCORS(_ rules: [CORS.Rule]?, of bucket: String, document: [UInt8]?) throws {
        try self.setDocument("cors", of: bucket, to: document)
        self.state.withLockedValue { $0.buckets[bucket]?.cors = rules }
    }

    func corsRules(of bucket: String) -> [CORS.Rule]? {
        self.state.withLockedValue { $0.buckets[bucket]?.cors }
    }

    func setVersioning(_ versioning: BucketIndex.Versioning, of bucket: String) throws {
        try self.setDocument("versioning", of: bucket, to: Array(versioning.rawValue.utf8))
        self.state.withLockedValue { $0.buckets[bucket]?.versioning = versioning }
    }

    func versioning(of bucket: String) throws -> BucketIndex.Versioning {
        guard let versioning = self.state.withLockedValue({ $0.buckets[bucket]?.versioning }) else {
            throw Self.noSuchBucket()
        }
        return versioning
    }

    func loadSettings(of bucket: String, into index: inout BucketIndex) throws {
        let config = "\(self.bucketPath(bucket))/config"
        if let versioning = try? String(contentsOfFile: "\(config)/versioning", encoding: .utf8) {
            index.versioning = BucketIndex.Versioning(rawValue: versioning) ?? .unversioned
        }
        // A document that does not say what CORS rules say was put before they were read: it is kept, and stands for nothing.
        if let document = FileManager.default.contents(atPath: "\(config)/cors") {
            index.cors = try? CORS.Rule.parse(Array(document))
        }
    }
}
