import S3

/// What must be true of the object that is there for a write or a delete to happen
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
struct WriteCondition: Sendable {
    /// What was there when a write began.
    private enum Observation {
        case nothing
        case version(UInt64)
    }

    /// `If-None-Match: *`
    var requiresNone = false
    /// `If-Match`: an ETag, or `*` for any object.
    var match: String?
    private var observation: Observation?

    init(requiresNone: Bool = false, match: String? = nil) {
        self.requiresNone = requiresNone
        self.match = match
    }

    var isEmpty: Bool { !self.requiresNone && self.match == nil }

    /// Checks at the beginning of a write, and remembers what is there.
    mutating func begin(_ current: BucketIndex.Entry?) throws(S3Error) {
        try self.check(current)
        self.observation = current.map { .version($0.order) } ?? .nothing
    }

    /// Checks at the end of a write. Whoever met the condition when the write began, and lost to another write or a delete while
    /// it went on, hears so; what had failed from the beginning is `PreconditionFailed`.
    func end(_ current: BucketIndex.Entry?) throws(S3Error) {
        guard !self.isEmpty else {
            return
        }
        let isSame =
            switch (self.observation, current) {
            case (nil, _), (.nothing, nil): true
            case (.version(let order), .some(let entry)): order == entry.order
            default: false
            }
        guard isSame else {
            throw S3Error(
                .conditionalRequestConflict,
                status: 409,
                message: "The conditional request cannot succeed due to a conflicting operation against this resource."
            )
        }
        try self.check(current)
    }

    /// - Parameter current: the current version, which may be a delete marker.
    func check(_ current: BucketIndex.Entry?) throws(S3Error) {
        let entry = current.flatMap { $0.isDeleteMarker ? nil : $0 }
        if self.requiresNone, entry != nil {
            throw .preconditionFailed("If-None-Match")
        }
        guard let match = self.match else {
            return
        }
        guard let entry else {
            throw Store.noSuchKey()
        }
        guard match == "*" || ETag.unquoted(match) == entry.etag else {
            throw .preconditionFailed("If-Match")
        }
    }
}

enum ETag {
    static func quoted(_ etag: String) -> String { "\"\(etag)\"" }

    /// Clients send an ETag with its quotes or without them; S3 takes both.
    static func unquoted(_ etag: some StringProtocol) -> String {
        guard etag.utf8.count >= 2, etag.hasPrefix("\""), etag.hasSuffix("\"") else {
            return String(etag)
        }
        return String(etag.dropFirst().dropLast())
    }
}
