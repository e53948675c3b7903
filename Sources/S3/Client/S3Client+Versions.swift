import NIOHTTP1

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// Whether a bucket keeps versions.
package enum S3Versioning: String, Sendable {
    case never
    case enabled = "Enabled"
    /// It did: there may be versions, and what is put replaces only the one that is called null.
    case suspended = "Suspended"
}

/// A version of an object, or a delete marker.
package struct S3ListedVersion: Sendable, Hashable {
    package var key: String
    /// `null` for what was put while the bucket kept none.
    package var versionID: String
    /// 0 of a delete marker.
    package var size: Int64
    /// Empty of a delete marker.
    package var etag: String
    package var lastModified: Date
    package var isDeleteMarker: Bool
}

/// A page of a bucket's versions and delete markers, in the order of their keys' bytes.
package struct S3VersionListing: Sendable {
    package var entries: [S3ListedVersion]
    /// Gives the next page; nil on the last.
    package var next: Marker?
    /// The store's clock when it answered.
    package var date: Date?

    /// What a request that deletes them names.
    package var versions: [S3ObjectIdentifier] {
        self.entries.map { S3ObjectIdentifier(key: $0.key, versionID: $0.versionID) }
    }

    package struct Marker: Sendable, Hashable {
        package var key: String
        package var versionID: String

        package init(key: String, versionID: String = "") {
            self.key = key
            self.versionID = versionID
        }
    }
}

extension S3Client {
    private static let versionListingLimit = 8 << 20
    private static let pageSize = 1_000

    /// One page of the versions of all objects, delete markers among them.
    ///
    /// ([AWS: ListObjectVersions](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html))
    package func listObjectVersions(
        bucket: String,
        prefix: String = "",
        after marker: S3VersionListing.Marker? = nil
    ) async throws -> S3VersionListing {
        var request = S3Request(
            operation: .listObjectVersions,
            method: .GET,
            bucket: bucket,
            query: [("versions", ""), ("max-keys", String(Self.pageSize))],
            timeout: self.timeouts.request,
            responseLimit: Self.versionListingLimit
        )
        if !prefix.isEmpty { request.query.append(("prefix", prefix)) }
        if let marker {
            request.query.append(("key-marker", marker.key))
            // Without one the page begins behind all versions of the key; an empty one S3 refuses.
            if !marker.versionID.isEmpty { request.query.append(("version-id-marker", marker.versionID)) }
        }
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "ListVersionsResult", sent)
            let isEncoded = document["EncodingType"]?.text == "url"
            func decoded(_ text: String) -> String? { isEncoded ? URIEncoding.decodeText(text, plusIsSpace: true) : text }
            var listing = S3VersionListing(
                entries: [],
                next: nil,
                date: response.headers.first(name: "date").flatMap { Timestamp.parseHTTP($0) }
            )
            for element in document.children where element.name == "Version" || element.name == "DeleteMarker" {
                let isMarker = element.name == "DeleteMarker"
                guard let key = element["Key"].flatMap({ decoded($0.text) }), !key.isEmpty,
                    let version = element["VersionId"]?.text,
                    let size = isMarker ? 0 : element["Size"].flatMap({ Int64($0.text) }), size >= 0,
                    let lastModified = element["LastModified"].flatMap({ Timestamp.parseISO8601($0.text) })
                else { throw Self.missing("version's key, id, size or date", response, sent) }
                listing.entries.append(
                    S3ListedVersion(
                        key: key,
                        versionID: version,
                        size: size,
                        etag: isMarker ? "" : element["ETag"]?.text ?? "",
                        lastModified: lastModified,
                        isDeleteMarker: isMarker
                    )
                )
            }
            if document["IsTruncated"]?.text == "true" {
                let next = S3VersionListing.Marker(
                    key: decoded(try Self.required("NextKeyMarker", in: document, response, sent)) ?? "",
                    versionID: document["NextVersionIdMarker"]?.text ?? ""
                )
                // One that stays where it is would be followed for ever.
                guard next != marker else { throw Self.missing("marker that leads on", response, sent) }
                listing.next = next
            }
            try Self.refuse(Self.absurdity(of: listing.entries.map(\.key), prefix: prefix, most: Self.pageSize), response, sent)
            return listing
        }
    }

    /// Whether a bucket keeps versions, as it says itself.
    ///
    /// ([AWS: GetBucketVersioning](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html))
    package func bucketVersioning(_ bucket: String) async throws -> S3Versioning {
        let request = S3Request(
            operation: "GetBucketVersioning",
            method: .GET,
            bucket: bucket,
            query: [("versioning", "")],
            timeout: self.timeouts.request
        )
        return try await self.send(request) { response throws(S3Error) in
            try Self.document(response, "VersioningConfiguration", request)["Status"].map {
                S3Versioning(rawValue: $0.text) ?? .never
            }
                ?? .never
        }
    }
}
