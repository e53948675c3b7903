import Foundation
import Postgres

/// What a worker says of itself with a heartbeat: what it alone knows.
package struct WorkerReport: Sendable, Equatable {
    /// A bucket that does not take everything.
    package struct Bucket: Sendable, Equatable, Codable {
        package var bucket: String
        /// For how long it has refused; nil when it does not.
        package var refusedSeconds: Double?
        /// What it gave as a reason.
        package var code: String?
        /// How many requests at a time it is sent, and was before it asked for fewer; nil when it did not.
        package var limit: Int?
        package var most: Int?

        package init(bucket: String, refusedSeconds: Double? = nil, code: String? = nil, limit: Int? = nil, most: Int? = nil) {
            self.bucket = bucket
            self.refusedSeconds = refusedSeconds
            // It may be what a store answered: bounded, and without the one character that Postgres cannot keep.
            self.code = code.map { String($0.prefix(64)).replacing("\0", with: "\u{FFFD}") }
            self.limit = limit
            self.most = most
        }
    }

    /// SQL may name any bucket.
    package static let mostBuckets = 64

    /// How many jobs it moves at a time.
    package var slots: Int
    /// It claims nothing more.
    package var isDraining: Bool
    package var buckets: [Bucket]

    package init(slots: Int, isDraining: Bool, buckets: [Bucket]) {
        self.slots = slots
        self.isDraining = isDraining
        self.buckets = Array(buckets.prefix(Self.mostBuckets))
    }

    /// Nil when there is nothing to say.
    var bucketsJSON: JSON? {
        guard !self.buckets.isEmpty, let data = try? JSONEncoder().encode(self.buckets) else { return nil }
        return JSON(String(decoding: data, as: UTF8.self))
    }
}
