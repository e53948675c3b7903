extension UploadField {
    /// What the page's script offers beyond the native input. Each adds to it: without the script the input works as ever.
    public struct Options: OptionSet, Sendable, Hashable {
        /// One bit for each option.
        public let rawValue: Int

        /// Options by their bits.
        public init(rawValue: Int) {
            self.rawValue = rawValue
        }

        /// A file's upload starts when it is chosen, instead of when the form is sent.
        public static let immediate = Options(rawValue: 1 << 0)
        /// Files can be dropped onto the input, and pasted.
        public static let dropZone = Options(rawValue: 1 << 1)

        /// As the input's `data-s3f-options` has them; empty for none.
        package var attribute: String {
            [(Self.immediate, "immediate"), (.dropZone, "drop")].filter { self.contains($0.0) }.map(\.1).joined(separator: " ")
        }
    }

    /// Which files the script uploads in parts, so that an upload goes on where it was after a lost connection or a reload of the page.
    ///
    /// Parts are sent by PUT, which the bucket's CORS rule must allow. Without the script a field takes what one POST takes.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>
    public struct Resumable: Sendable, Hashable {
        /// Files with more bytes than this go in parts.
        public let threshold: ByteCount

        /// Only files that one POST cannot carry: above 5 GB.
        public static let whenNeeded = Resumable.above(UploadField.largestPost)

        /// Files above a size, which is at most 5 GB.
        public static func above(_ size: ByteCount) -> Resumable {
            precondition(
                (0...UploadField.largestPost.bytes).contains(size.bytes),
                "UploadField: files above \(size) cannot begin to be resumable; say 0 to \(UploadField.largestPost)"
            )
            return Resumable(threshold: size)
        }

        private init(threshold: ByteCount) {
            self.threshold = threshold
        }
    }
}
