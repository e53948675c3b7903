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

    /// - Parameter change: what follows from the document, in the same moment.
    func setDocument(
        _ name: String,
        of bucket: String,
        to bytes: [UInt8]?,
        _ change: (inout BucketIndex?) -> Void = { _ in }
    ) throws {
        let temporary = self.temporaryPath()
        if let bytes { try self.write(bytes, to: temporary) }
        do {
            // Under the lock, or the bucket might be deleted and its folder come back.
            try self.state.withLockedValue { state in
                guard state.buckets[bucket] != nil else {
                    throw Self.noSuchBucket()
                }
                let folder = "\(self.bucketPath(bucket))/config"
                try Files.createDirectory(folder, synchronizes: self.synchronizes)
                if bytes == nil {
                    try Files.remove("\(folder)/\(name)")
                } else {
                    try Files.move(temporary, to: "\(folder)/\(name)")
                }
                try self.synchronizeDirectory(folder)
                change(&state.buckets[bucket])
            }
        } catch {
            try? Files.remove(temporary)
            throw error
        }
    }

    func setCORS(_ rules: [CORS.Rule]?, of bucket: String, document: [UInt8]?) throws {
        try self.setDocument("cors", of: bucket, to: document) { $0?.cors = rules }
    }

    func corsRules(of bucket: String) -> [CORS.Rule]? {
        self.state.withLockedValue { $0.buckets[bucket]?.cors }
    }

    func setVersioning(_ versioning: BucketIndex.Versioning, of bucket: String) throws {
        try self.setDocument("versioning", of: bucket, to: Array(versioning.rawValue.utf8)) { $0?.versioning = versioning }
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
