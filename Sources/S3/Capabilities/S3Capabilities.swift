/// What a store honours of the conditions that S3 documents, for copies from one bucket into another.
///
/// Stores that do not know a condition ignore it without a word, so none is relied on that was not seen to work: see ``S3CapabilityProbe``.
package struct S3Capabilities: Sendable, Hashable {
    /// `x-amz-copy-source-if-match` on CopyObject: a source with other bytes is refused.
    package var copySourceIfMatch = false
    /// The same on UploadPartCopy.
    package var partCopySourceIfMatch = false
    /// `If-None-Match: *` on CopyObject: nothing is overwritten.
    package var copyIfNoneMatch = false
    /// The same on CompleteMultipartUpload.
    package var completeIfNoneMatch = false
    /// `If-Match` on DeleteObject.
    package var deleteIfMatch = false
    /// An ETag in DeleteObjects.
    package var batchDeleteIfMatch = false
    /// The source's bucket keeps versions, and copies the one that is asked for: one that was verified stays what it is.
    package var sourceVersions = false
    /// A copy's CRC-64/NVME is kept, and told when asked for.
    package var checksums = false

    /// What may be relied on of a store that nobody asked yet.
    package init() {}
}

extension S3Capabilities: CustomStringConvertible {
    /// The names of what is honoured, for a log.
    package var description: String {
        let honoured = [
            ("copySourceIfMatch", self.copySourceIfMatch), ("partCopySourceIfMatch", self.partCopySourceIfMatch),
            ("copyIfNoneMatch", self.copyIfNoneMatch), ("completeIfNoneMatch", self.completeIfNoneMatch),
            ("deleteIfMatch", self.deleteIfMatch), ("batchDeleteIfMatch", self.batchDeleteIfMatch),
            ("sourceVersions", self.sourceVersions), ("checksums", self.checksums),
        ].filter(\.1).map(\.0)
        return honoured.isEmpty ? "none" : honoured.joined(separator: ", ")
    }
}
