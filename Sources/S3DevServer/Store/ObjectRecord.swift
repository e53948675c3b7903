import Foundation

/// What is stored with an object's bytes, and served with them.
struct ObjectAttributes: Codable, Hashable, Sendable {
    var contentType: String?
    var contentDisposition: String?
    var contentEncoding: String?
    var contentLanguage: String?
    var cacheControl: String?
    var expires: String?
    /// `x-amz-meta-…`, by the name behind that prefix, in lower case.
    var metadata: [String: String] = [:]
}

/// An object without its bytes.
struct ObjectRecord: Codable, Sendable {
    var key: String
    var size: Int64
    /// Without quotes.
    var etag: String
    /// Milliseconds since 1970.
    var modified: Int64
    var attributes = ObjectAttributes()
    /// Base64 checksums that the client sent and that were found right, by header name.
    var checksums: [String: String] = [:]

    var modifiedDate: Date { Date(timeIntervalSince1970: Double(self.modified) / 1000) }

    /// Whether the ETag is the MD5 of the bytes, which that of a multipart upload is not.
    var hasPlainETag: Bool { !self.etag.contains("-") }
}

extension Date {
    var milliseconds: Int64 { Int64((self.timeIntervalSince1970 * 1000).rounded(.down)) }
}
