import NIOHTTP1

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// What S3 says of an object without its bytes.
package struct S3ObjectHead: Sendable, Hashable {
    /// Of the whole object, also when a range was asked for.
    package var size: Int64
    /// As sent, quotes included. Compare with ``isSameETag(_:_:)``: stores differ about the quotes.
    package var etag: String
    package var contentType: String?
    package var contentDisposition: String?
    package var cacheControl: String?
    package var lastModified: Date?
    package var versionID: String?
    /// The CRC-64/NVME of the whole object in Base64, when it was asked for and the store keeps it. Equal ones mean equal bytes but for
    /// intent: it is a checksum, not a digest.
    /// ([AWS: Checking object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html))
    package var checksum: String?
    /// The store's clock when it answered.
    package var date: Date?
    package var storageClass: String?
    /// How many tags it has; nil for none.
    package var tagCount: Int?
    /// The `x-amz-meta-` headers, by the rest of their names in lower case.
    package var metadata: [String: String]

    package init(
        size: Int64,
        etag: String,
        contentType: String? = nil,
        contentDisposition: String? = nil,
        cacheControl: String? = nil,
        lastModified: Date? = nil,
        versionID: String? = nil,
        checksum: String? = nil,
        date: Date? = nil,
        storageClass: String? = nil,
        tagCount: Int? = nil,
        metadata: [String: String] = [:]
    ) {
        self.size = size
        self.etag = etag
        self.contentType = contentType
        self.contentDisposition = contentDisposition
        self.cacheControl = cacheControl
        self.lastModified = lastModified
        self.versionID = versionID
        self.checksum = checksum
        self.date = date
        self.storageClass = storageClass
        self.tagCount = tagCount
        self.metadata = metadata
    }

    /// Equal but for surrounding quotes, which Ceph leaves away in places.
    package static func isSameETag(_ one: String, _ other: String) -> Bool {
        self.bareETag(one) == self.bareETag(other)
    }

    /// Without surrounding quotes.
    package static func bareETag(_ etag: String) -> String {
        etag.count > 1 && etag.hasPrefix("\"") && etag.hasSuffix("\"") ? String(etag.dropFirst().dropLast()) : etag
    }

    init(status: Int, headers: HTTPHeaders, subject: S3Error.Subject) throws(S3Error) {
        let length = headers.first(name: "content-length").flatMap { Int64($0) }
        // "bytes 0-9/1000"
        let total = headers.first(name: "content-range")?.split(separator: "/").last.flatMap { Int64($0) }
        guard let size = status == 206 ? total : length, size >= 0, let etag = headers.first(name: "etag"), !etag.isEmpty else {
            throw S3Error(
                .invalidResponse,
                status: status,
                message: "\(subject): the answer says no size or no ETag.",
                requestID: headers.first(name: "x-amz-request-id")
            )
        }
        var metadata: [String: String] = [:]
        for header in headers where header.name.lowercased().hasPrefix("x-amz-meta-") {
            metadata[String(header.name.lowercased().dropFirst("x-amz-meta-".count))] = header.value
        }
        self.init(
            size: size,
            etag: etag,
            contentType: headers.first(name: "content-type"),
            contentDisposition: headers.first(name: "content-disposition"),
            cacheControl: headers.first(name: "cache-control"),
            lastModified: headers.first(name: "last-modified").flatMap { Timestamp.parseHTTP($0) },
            versionID: headers.first(name: "x-amz-version-id"),
            checksum: headers.first(name: "x-amz-checksum-crc64nvme"),
            date: headers.first(name: "date").flatMap { Timestamp.parseHTTP($0) },
            storageClass: headers.first(name: "x-amz-storage-class"),
            tagCount: headers.first(name: "x-amz-tagging-count").flatMap { Int($0) },
            metadata: metadata
        )
    }
}
