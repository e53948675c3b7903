package import Foundation

/// A multipart upload by a browser, as the browser carries it, signed: which object, how large, in which parts, until when.
///
/// It allows to send these parts and nothing else; nothing is stored on the server.
package struct ResumableUpload: Sendable, Codable, Equatable {
    /// A key of 1,024 bytes and the store's name for the upload.
    package static let maximumBytes = 4_096
    /// As S3 has them. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
    package static let maximumParts = 10_000
    /// Large enough that a part's own request costs little, small enough that a lost connection does.
    package static let smallestPart: Int64 = 8 << 20

    package var key: String
    /// The store's name for it.
    package var uploadID: String
    /// In bytes.
    package var size: Int64
    /// Of each part but the last.
    package var partSize: Int64
    package var field: String
    package var expiresAt: Date

    private enum CodingKeys: String, CodingKey {
        case key = "k"
        case uploadID = "i"
        case size = "s"
        case partSize = "p"
        case field = "n"
        case expiresAt = "e"
    }

    package init(key: String, uploadID: String, size: Int64, field: String, expiresAt: Date) {
        self.key = key
        self.uploadID = uploadID
        self.size = size
        self.partSize = Self.partSize(forSize: size)
        self.field = field
        // As the token keeps it.
        self.expiresAt = Date(timeIntervalSince1970: expiresAt.timeIntervalSince1970.rounded(.down))
    }

    /// Whole mebibytes, growing with the object, so that 10,000 parts are enough: up to 5 GiB, which is the most a part can have.
    package static func partSize(forSize size: Int64) -> Int64 {
        let needed = (size + Int64(Self.maximumParts) - 1) / Int64(Self.maximumParts)
        let mebibyte: Int64 = 1 << 20
        return max(Self.smallestPart, (needed + mebibyte - 1) / mebibyte * mebibyte)
    }

    package var partCount: Int { Int((self.size + self.partSize - 1) / self.partSize) }

    /// The bytes of one part, from 1; `nil` for a number that it does not have.
    package func size(ofPart number: Int) -> Int64? {
        guard (1...self.partCount).contains(number) else { return nil }
        return min(self.partSize, self.size - Int64(number - 1) * self.partSize)
    }

    package func signed(with keys: SigningKeys) throws -> String {
        try SignedToken.make(self, purpose: .multipart, keys: keys)
    }

    /// `nil` for what was not signed here.
    package static func read(_ token: String, keys: SigningKeys) -> ResumableUpload? {
        SignedToken.read(token, as: Self.self, purpose: .multipart, maximumBytes: Self.maximumBytes, keys: keys)
    }
}
