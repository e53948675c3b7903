/// What a pass over the tmp objects did, or, when it was only looked, would have done.
package struct SweepSummary: Sendable, Equatable {
    /// Objects that were looked at; in a bucket with versions, versions and delete markers.
    package var listed = 0
    /// Of those: old, and gone now.
    package var removed = 0
    package var bytesFreed: Int64 = 0
    /// Old, and left alone: an upload claims it that waits, moves or failed lately, or a stored file lies there.
    package var kept = 0
    /// Old, and left for the next pass: an open transaction has its key in hand, or it was put anew meanwhile.
    package var busy = 0
    /// Old, and the store, or Postgres, would not have it.
    package var failed = 0
    /// The code of the first of these failures.
    package var failure: String?
    /// Copies of uploads that were withdrawn or failed while they moved.
    package var copiesRemoved = 0
    /// Uploads in parts that were begun and not ended, and the bytes of their parts.
    package var uploadsGivenUp = 0
    package var partBytesFreed: Int64 = 0
    /// Whether the store let us look for those.
    package var sawUploads = true

    package init() {}

    /// All that was freed.
    package var totalBytesFreed: Int64 { self.bytesFreed + self.partBytesFreed }

    mutating func fail(_ count: Int, _ code: String) {
        guard count > 0 else { return }
        self.failed += count
        if self.failure == nil { self.failure = code }
    }
}
