/// What happens to one file, as a person and an app make it happen.
package struct History: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// The form is posted, and enqueued by the service.
        case committed
        /// Enqueued by SQL, in a transaction of the app's that commits.
        case transaction
        /// Enqueued by SQL, in a transaction of the app's that does not.
        case rolledBack = "rolled-back"
        /// Enqueued under a hold, and released.
        case released
        /// Enqueued under a hold that nobody ends: it runs out.
        case forgotten
        /// Enqueued under a hold, and cancelled, so that it never moves.
        case cancelled
        /// Cancelled at some moment after it was enqueued, moving or not.
        case cancelledLate = "cancelled-late"
        /// Cancelled, and then its form is posted again.
        case retried
        /// The form is posted twice at once.
        case postedTwice = "posted-twice"
        /// Other bytes are put under the same key, by the same presigned form, after they were verified.
        case changed
        /// The same, and then the first bytes are put there again, and the upload that failed over it is retried.
        case mended
        /// Posted so late that a sweep may have been there before.
        case late
        /// No form ever comes.
        case unclaimed

        /// Whether other bytes than the verified ones are put under its key.
        package var postsOthers: Bool { self == .changed || self == .mended }
    }

    package var number: Int
    package var kind: Kind
    /// Bytes.
    package var size: Int
    /// Milliseconds from the beginning of the run.
    package var start: Int
    /// Milliseconds that the second act waits for, of those that have one.
    package var pause: Int
    package var filename: String
    package var contentType: String

    /// What the file's bytes are; other versions are other bytes, unless it is empty.
    package func bytes(version: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed, purpose: UInt64(self.number) &* 8 &+ UInt64(version) &+ 1)
        var bytes = Array("prove \(self.number).\(version) ".utf8.prefix(self.size))
        bytes.reserveCapacity(self.size + 8)
        while bytes.count < self.size {
            withUnsafeBytes(of: generator.next().littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - self.size)
        return bytes
    }
}
