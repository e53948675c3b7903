import Foundation

/// What is stored with an object's bytes, and served with them. What came after the first release is optional: records of old
/// folders do not have it.
struct ObjectAttributes: Codable, Hashable, Sendable {
    var contentType: String?
    var contentDisposition: String?
    var contentEncoding: String?
    var contentLanguage: String?
    var cacheControl: String?
    var expires: String?
    /// `x-amz-meta-…`, by the name behind that prefix, in lower case.
    var metadata: [String: String] = [:]
    var websiteRedirectLocation: String?
    var tags: [ObjectTag]?
    /// nil is `STANDARD`.
    var storageClass: String?
    var encryption: ObjectEncryption?
}

/// How the client asked for an object to be encrypted. It is remembered and told, not done.
struct ObjectEncryption: Codable, Hashable, Sendable {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    var algorithm: String
    var keyID: String?
    var context: String?
    var bucketKey: Bool?

    /// With a key of KMS, an ETag is not the MD5 of the bytes.
    var hidesMD5: Bool { self.algorithm != "AES256" }
}

/// An object, or a delete marker, without its bytes.
struct ObjectRecord: Codable, Sendable {
    /// A part of a multipart upload, as it is remembered of the object that it became part of.
    struct Part: Codable, Hashable, Sendable {
        var number: Int
        var size: Int64
        /// Base64, by header name.
        var checksums: [String: String]
    }

    var key: String
    var size: Int64
    /// Without quotes.
    var etag: String
    /// Milliseconds since 1970.
    var modified: Int64
    var attributes = ObjectAttributes()
    /// Base64 checksums of the bytes, by header name.
    var checksums: [String: String] = [:]
    /// `COMPOSITE` for a checksum of the parts' checksums; nil is `FULL_OBJECT`.
    var checksumType: ChecksumType?
    var parts: [Part]?
    /// The multipart upload that it was made of.
    var upload: String?
    /// nil is the `null` version.
    var version: String?
    /// Orders the versions of a key: the highest is the current one.
    var sequence: UInt64?
    var isDeleteMarker: Bool?

    var modifiedDate: Date { Date(timeIntervalSince1970: Double(self.modified) / 1000) }

    /// Records of old folders have no sequence: when they were written says enough, as they are alone.
    var order: UInt64 { self.sequence ?? UInt64(max(0, self.modified)) * 1_000_000 }
}

extension Date {
    var milliseconds: Int64 { Int64((self.timeIntervalSince1970 * 1000).rounded(.down)) }
}
