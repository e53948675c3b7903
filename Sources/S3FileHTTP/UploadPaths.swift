public import S3File

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Where ``UploadRoutes`` are mounted, and so what a page writes into its `src` and `href`.
public struct UploadPaths: Sendable, Hashable {
    /// `/s3file`, where the routes are unless an app says otherwise.
    public static let standard = UploadPaths(root: "/s3file")

    /// The common beginning, with a leading slash and without a trailing one.
    public let root: String

    public init(root: String) {
        self.root = root
    }

    /// For `<script type="module" src="…">`.
    public var script: String { self.root + "/s3file.js" }
    /// For `<link rel="stylesheet" href="…">`.
    public var stylesheet: String { self.root + "/s3file.css" }

    /// The status of one upload with its token, for `<s3file-status src="…">`. Only who may see the upload may see this.
    public func status(of id: UUID, in uploads: Uploads) -> String {
        "\(self.root)/uploads/\(id.uuidString.lowercased())?token=\(uploads.statusToken(for: id))"
    }
}
