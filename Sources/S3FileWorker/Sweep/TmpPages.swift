import Foundation
import S3

/// An object below the tmp prefix, or one version of it.
struct TmpEntry: Sendable, Hashable {
    var key: String
    var size: Int64
    var etag: String
    var lastModified: Date
    /// Only where the bucket keeps versions.
    var versionID: String?

    /// What is compared, and looked up: two spellings of a letter are two keys, though Swift's strings take them for one.
    var keyBytes: [UInt8] { Array(self.key.utf8) }
}

/// What lies below the tmp prefix, page by page: objects, or in a bucket with versions each of them and each delete marker.
struct TmpPages: Sendable {
    struct Page: Sendable {
        var entries: [TmpEntry]
        /// The store's clock when it answered.
        var date: Date?
        /// The last key of which nothing comes any more; nil where no key of the page is that.
        var done: String?
    }

    private enum Place: Sendable {
        case objects(token: String?, after: String?)
        case versions(S3VersionListing.Marker?)
        case end
    }

    let s3: S3Client
    let bucket: String
    let prefix: String
    private var place: Place

    /// - Parameter after: the last key that is done with; empty to begin.
    init(s3: S3Client, bucket: String, prefix: String, keepsVersions: Bool, after: String) {
        self.s3 = s3
        self.bucket = bucket
        self.prefix = prefix
        self.place =
            if keepsVersions {
                .versions(after.isEmpty ? nil : .init(key: after))
            } else {
                .objects(token: nil, after: after.isEmpty ? nil : after)
            }
    }

    /// - Returns: nil at the end.
    mutating func next() async throws -> Page? {
        switch self.place {
        case .end:
            return nil
        case .objects(let token, let after):
            let page = try await self.s3.listObjects(
                bucket: self.bucket,
                prefix: self.prefix,
                continuationToken: token,
                startAfter: after
            )
            self.place = page.nextToken.map { .objects(token: $0, after: nil) } ?? .end
            return Page(
                entries: page.objects.map {
                    TmpEntry(key: $0.key, size: $0.size, etag: $0.etag, lastModified: $0.lastModified)
                },
                date: page.date,
                done: page.objects.last?.key
            )
        case .versions(let marker):
            let page = try await self.s3.listObjectVersions(bucket: self.bucket, prefix: self.prefix, after: marker)
            self.place = page.next.map { .versions($0) } ?? .end
            // Whoever deletes by a listing does not trust it that far.
            let entries = page.entries.filter { $0.key.utf8.starts(with: self.prefix.utf8) }
            return Page(
                entries: entries.map {
                    TmpEntry(key: $0.key, size: $0.size, etag: $0.etag, lastModified: $0.lastModified, versionID: $0.versionID)
                },
                date: page.date,
                // Of the last key there may be more on the next page.
                done: page.next == nil
                    ? entries.last?.key
                    : entries.last { !$0.key.utf8.elementsEqual(entries[entries.count - 1].key.utf8) }?.key
            )
        }
    }
}
