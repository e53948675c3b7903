/// A file field of a form, declared once and used to draw the input, to sign its ticket, and to check what comes back.
///
/// ```swift
/// let avatar = UploadField(
///     "avatar", uploadTo: "avatars/%Y/%m/", accept: [.image], maximumSize: .megabytes(20)
/// )
/// ```
public struct UploadField: Sendable {
    /// The input's `name`. Letters, digits, `_`, `-`, `.`, `[` and `]`; at most 64.
    public let name: String
    /// Where its files are stored.
    public let uploadTo: UploadTo
    /// What it accepts; empty means anything.
    public let accept: [AcceptedType]
    /// The most bytes one file may have.
    public let maximumSize: ByteCount
    /// The most files one form post may carry; above 1 the input is drawn `multiple`.
    public let maximumCount: Int
    /// Whether a form without a file is refused.
    public let required: Bool
    /// How its files are stored.
    public let storage: StorageSettings
    /// What the page's script offers beyond the native input.
    public let options: Options
    /// Which of its files are uploaded in parts; `nil` for none.
    public let resumable: Resumable?

    /// S3 takes no more than this in one POST: 5 GB.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>
    public static let largestPost = ByteCount.gigabytes(5)
    /// S3 takes no larger object: 10,000 parts of 5 GiB.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
    public static let largestObject = ByteCount(bytes: 53_687_091_200_000)

    /// Declares a field. A name or limit out of bounds is a programming error and stops the program with a sentence.
    ///
    /// - Parameters:
    ///   - name: the input's name.
    ///   - uploadTo: the destination folder; see ``UploadTo``.
    ///   - accept: wanted types; empty means anything.
    ///   - maximumSize: the most bytes of one file: at most 5 GB, and 53.6 TB when it is `resumable`.
    ///   - maximumCount: the most files of one form post, 1 to 100.
    ///   - required: whether a form without a file is refused.
    ///   - storage: headers, tags, encryption and class of its files; all of it is the bucket's matter by default.
    ///   - options: what the page's script offers beyond the native input.
    ///   - resumable: which of its files are uploaded in parts; `nil` for none.
    public init(
        _ name: String,
        uploadTo: UploadTo,
        accept: [AcceptedType] = [],
        maximumSize: ByteCount,
        maximumCount: Int = 1,
        required: Bool = false,
        storage: StorageSettings = StorageSettings(),
        options: Options = [],
        resumable: Resumable? = nil
    ) {
        precondition(
            (1...64).contains(name.utf8.count) && name != "s3file"
                && name.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                    default: "_-.[]".utf8.contains(byte)
                    }
                },
            "UploadField: \"\(name)\" cannot be a field's name; use 1 to 64 of a-z A-Z 0-9 _ - . [ ]"
        )
        let largest = resumable == nil ? Self.largestPost : Self.largestObject
        precondition(
            maximumSize.bytes > 0 && maximumSize <= largest,
            "UploadField \(name): maximumSize must be between 1 byte and \(largest)"
                + (resumable == nil ? ", the most S3 takes in one POST; say resumable: .whenNeeded for more" : "")
        )
        precondition((1...100).contains(maximumCount), "UploadField \(name): maximumCount must be between 1 and 100")
        precondition(accept.count <= 16, "UploadField \(name): at most 16 accepted types fit into a ticket")
        self.name = name
        self.uploadTo = uploadTo
        self.accept = accept
        self.maximumSize = maximumSize
        self.maximumCount = maximumCount
        self.required = required
        self.storage = storage
        self.options = options
        self.resumable = resumable
    }

    /// HTML's `accept` attribute; empty when anything is accepted.
    public var acceptAttribute: String {
        self.accept.map(\.description).joined(separator: ",")
    }

    /// - Parameter bytes: the first ones of the file.
    package func accepts(contentType: String, bytes: [UInt8], filename: String) -> Bool {
        self.accept.isEmpty || self.accept.contains { $0.matches(contentType: contentType, bytes: bytes, filename: filename) }
    }
}
