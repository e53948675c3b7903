import Crypto
import Foundation
import S3
import S3File

/// What a copy carries so that a later attempt knows it again: which upload it is of, and what exactly was copied.
///
/// The upload's id alone would not do. An upload that was cancelled may be claimed again with other bytes under the same key, or get other
/// settings between two attempts; a copy that an attempt made before that is not what the next one would make.
struct Stamp: Sendable, Equatable {
    /// `x-amz-meta-s3file-upload`
    static let uploadName = "s3file-upload"
    /// `x-amz-meta-s3file-source`
    static let sourceName = "s3file-source"

    let upload: String
    /// A digest of the verified object, of how it is stored, and of what kept other bytes out.
    let source: String

    /// - Parameter standing: what holds by itself. A copy that was made without it is not vouched for by a later attempt that has it.
    init(_ job: Job, standing: Guarantee?) throws {
        var hash = SHA256()
        let facts = [
            S3ObjectHead.bareETag(job.etag), job.versionID ?? "", "\(job.size)", job.contentType, job.filename,
            standing?.rawValue ?? "",
        ]
        // With lengths, so that no two lists of facts come to the same bytes.
        for fact in facts { hash.update(data: Data("\(fact.utf8.count):\(fact)".utf8)) }
        hash.update(data: try job.storage.map(Self.encoded) ?? Self.standardSettings.get())
        self.upload = job.id.uuidString.lowercased()
        self.source = SigV4.hexadecimal(hash.finalize().prefix(16))
    }

    /// What nearly every job has: not encoded anew for each.
    private static let standardSettings = Result { try Self.encoded(StorageSettings()) }

    private static func encoded(_ settings: StorageSettings) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try encoder.encode(settings)
    }

    var metadata: [String: String] { [Self.uploadName: self.upload, Self.sourceName: self.source] }

    func isOfUpload(_ head: S3ObjectHead) -> Bool { head.metadata[Self.uploadName] == self.upload }
    func isSame(_ head: S3ObjectHead) -> Bool { self.isOfUpload(head) && head.metadata[Self.sourceName] == self.source }
}
