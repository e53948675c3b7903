/// What proved that the bytes at a stored upload's key are the verified ones.
package enum Guarantee: String, Sendable {
    /// That version of the tmp object was copied, and versions do not change.
    case version
    /// The store refuses to copy anything else.
    case sourceCondition = "source_condition"
    /// The copy has the verified ETag, which is a digest of the bytes.
    case etag
    /// Source and copy have the same checksum, and the source was the same before and after.
    case checksum
    /// The source was the same before and after, by its ETag, size and date.
    case head
}
