/// What a request asks for, by S3's own name, and its place among those that are measured one by one.
struct S3Operation: Sendable, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    let name: String
    let slot: Int

    var description: String { self.name }

    /// Those that go by the thousand have constants below; of others, which are few, a literal will do.
    init(stringLiteral name: String) {
        self.name = name
        self.slot = Self.measured.firstIndex(of: name) ?? Self.measured.count
    }

    /// The last slot is for all others.
    static var slots: Int { self.measured.count + 1 }

    static func label(slot: Int) -> String { slot < self.measured.count ? self.measured[slot] : "other" }

    private static let measured = [
        "HeadObject", "GetObject", "PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts", "ListMultipartUploads", "ListObjectsV2",
        "ListObjectVersions", "HeadBucket",
    ]

    static let headObject: Self = "HeadObject"
    static let getObject: Self = "GetObject"
    static let putObject: Self = "PutObject"
    static let deleteObject: Self = "DeleteObject"
    static let deleteObjects: Self = "DeleteObjects"
    static let copyObject: Self = "CopyObject"
    static let createMultipartUpload: Self = "CreateMultipartUpload"
    static let uploadPart: Self = "UploadPart"
    static let uploadPartCopy: Self = "UploadPartCopy"
    static let completeMultipartUpload: Self = "CompleteMultipartUpload"
    static let abortMultipartUpload: Self = "AbortMultipartUpload"
    static let listParts: Self = "ListParts"
    static let listMultipartUploads: Self = "ListMultipartUploads"
    static let listObjectsV2: Self = "ListObjectsV2"
    static let listObjectVersions: Self = "ListObjectVersions"
}
