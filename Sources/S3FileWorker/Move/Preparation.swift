import S3
import S3File

/// What a move asks the store before it copies. It may be asked while the moves before it copy, so that a slot spends its time on copies.
package struct Preparation: Sendable {
    /// What lies at the destination.
    enum Found: Sendable {
        case nothing
        /// Of this upload, by an attempt that another verified object, other settings or a weaker fence set apart from this one, or of which
        /// nothing is proved. It may be overwritten.
        case replaceable(S3ObjectHead)
        /// Stored already, or somebody else's.
        case end(Outcome)
    }

    /// How long a look at the destination is good for. Where the store does not keep a copy from overwriting, whoever comes between the two is
    /// not seen.
    static let lifetime = Duration.milliseconds(500)

    /// Nil when nobody looked.
    let found: Found?
    /// Nil when the bytes were not asked. They cannot change without their ETag, so that this does not age.
    let content: StoredContent?
    let askedAt: ContinuousClock.Instant

    /// What lies at the destination, if that was seen a moment ago.
    func found(now: ContinuousClock.Instant) -> Found? { now - self.askedAt < Self.lifetime ? self.found : nil }
}
