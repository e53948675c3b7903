public import struct Foundation.UUID

/// Where the upload routes are mounted, and so what a page writes into its `src` and `href`, and what a drawn input names.
public struct UploadPaths: Sendable, Hashable {
    /// `/s3file`, where the routes are unless an app says otherwise.
    public static let standard = UploadPaths(root: "/s3file")

    /// The common beginning, with a leading slash and without a trailing one.
    public let root: String

    /// Paths below a root with a leading slash and without a trailing one, such as `/files`.
    public init(root: String) {
        self.root = root
    }

    /// For `<script type="module" src="…">`.
    public var script: String { self.root + "/s3file.js" }
    /// For `<link rel="stylesheet" href="…">`.
    public var stylesheet: String { self.root + "/s3file.css" }
    /// Where the script asks for a fresh policy when the one of the page has run out.
    public var inputs: String { self.root + "/inputs" }
    /// Where the script begins uploads in parts.
    public var multipart: String { self.root + "/multipart" }

    /// The status of one upload with its token, for `<s3file-status src="…">`. Only who may see the upload may see this.
    public func status(of id: UUID, in uploads: Uploads) -> String {
        "\(self.root)/uploads/\(id.uuidString.lowercased())?token=\(uploads.statusToken(for: id))"
    }
}
