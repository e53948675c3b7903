package import Foundation
import S3File

/// Where the record and the store do not say the same.
package struct Disagreement: Sendable, Equatable {
    /// Kinds of disagreement. Their names are stable: programs read them.
    package enum Kind: String, CaseIterable, Sendable, Encodable {
        /// Stored by the record, and no object is there.
        case missing
        /// Waiting by the record, and its tmp object is not there: there is nothing to store.
        case sourceMissing = "source_missing"
        /// An object with a stamp of ours, and no upload that is stored has it.
        case orphaned
        /// The object of a stored upload, of another size.
        case wrongSize = "wrong_size"
        /// The object of a stored upload, with another ETag: other bytes.
        case wrongETag = "wrong_etag"
        /// An object at the key of a stored upload that does not carry its stamp: somebody else put it.
        case unstamped
        /// An upload that waits or moves, and stands still for longer than lease and retries explain.
        case stuck
        /// The tmp object of an upload that is stored since a while.
        case tmpLeft = "tmp_left"
        /// A tmp object that the sweep should have taken.
        case tmpStale = "tmp_stale"
        /// An upload in parts that nobody ends.
        case staleMultipart = "stale_multipart"
    }

    /// What `--apply` does about one. Each is decided anew, by what is there then, right before it is done.
    package enum Repair: String, Sendable, Encodable {
        /// The file is stored again from its tmp object.
        case storeAgain = "store_again"
        /// The failed upload is tried again; the next attempt finds its own copy.
        case takeUp = "take_up"
        /// The record of a file that is gone for good is forgotten.
        case forget
        /// The object is deleted, after its key was put out of everybody's reach.
        case deleteObject = "delete_object"
        /// The tmp object is deleted; its bytes are stored.
        case deleteTmp = "delete_tmp"
        /// The tmp object is marked as expired and deleted, as the sweep does.
        case sweep
        /// The upload in parts is given up.
        case giveUp = "give_up"
        /// A job that is missing is made, one that is of nothing is taken away.
        case mendJob = "mend_job"
        /// The lease of the dead worker is ended, and its jobs go back into the queue.
        case reap

        /// Whether bytes, or the word of them, may be lost by it that are nowhere else.
        package var mayLoseAFile: Bool { self == .forget || self == .deleteObject }
    }

    /// What became of the repair.
    package enum Outcome: Sendable, Equatable {
        /// Nothing was to be done: not asked for, or there is no repair but by hand.
        case reported
        case repaired
        /// When it was looked at again things were different.
        case changed
        /// It may lose a file, and `--force` was not given.
        case needsForce
        /// As many of its kind were repaired as may be at a time.
        case beyondLimit
        case failed(String)
    }

    package var kind: Kind
    package var upload: UUID?
    package var bucket: String
    package var key: String
    /// A sentence for people.
    package var detail: String
    /// What the record says, where that is the point.
    package var expected: Facts?
    /// What the store says.
    package var found: Facts?
    package var repair: Repair?
    package var outcome = Outcome.reported

    /// Of an object.
    package struct Facts: Sendable, Equatable, Encodable {
        package var size: Int64?
        package var etag: String?
    }

    /// For the repair: the upload as it was found.
    var record: ComparedUpload?
    /// For the repair of an upload in parts.
    var multipartUploadID: String?

    /// Whether it is still there.
    package var isOpen: Bool { self.outcome != .repaired && self.outcome != .changed }
}

extension Disagreement: Encodable {
    private enum CodingKeys: String, CodingKey {
        case kind = "class"
        case upload, bucket, key, detail, expected, found, repair, outcome, message
        case multipartUploadID = "multipartUpload"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.kind, forKey: .kind)
        try container.encodeIfPresent(self.upload?.uuidString.lowercased(), forKey: .upload)
        try container.encode(self.bucket, forKey: .bucket)
        try container.encode(self.key, forKey: .key)
        try container.encode(self.detail, forKey: .detail)
        try container.encodeIfPresent(self.expected, forKey: .expected)
        try container.encodeIfPresent(self.found, forKey: .found)
        try container.encodeIfPresent(self.multipartUploadID, forKey: .multipartUploadID)
        try container.encodeIfPresent(self.repair, forKey: .repair)
        try container.encode(self.outcome.word, forKey: .outcome)
        if case .failed(let message) = self.outcome { try container.encode(message, forKey: .message) }
    }
}

extension Disagreement.Outcome {
    /// Stable, for programs.
    package var word: String {
        switch self {
        case .reported: "reported"
        case .repaired: "repaired"
        case .changed: "changed"
        case .needsForce: "needs_force"
        case .beyondLimit: "beyond_limit"
        case .failed: "failed"
        }
    }
}
