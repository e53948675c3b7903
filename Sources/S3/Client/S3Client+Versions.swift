import NIOHTTP1

/// A page of a bucket's versions and delete markers.
package struct S3VersionListing: Sendable {
    package var versions: [S3ObjectIdentifier]
    /// Gives the next page; nil on the last.
    package var next: Marker?

    package struct Marker: Sendable, Hashable {
        package var key: String
        package var versionID: String
    }
}

extension S3Client {
    private static let versionListingLimit = 8 << 20

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
            query: [("versions", ""), ("max-keys", "1000")],
            timeout: self.timeouts.request,
            responseLimit: Self.versionListingLimit
        )
        if !prefix.isEmpty { request.query.append(("prefix", prefix)) }
        if let marker { request.query += [("key-marker", marker.key), ("version-id-marker", marker.versionID)] }
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "ListVersionsResult", sent)
            let isEncoded = document["EncodingType"]?.text == "url"
            func decoded(_ text: String) -> String? { isEncoded ? URIEncoding.decodeText(text, plusIsSpace: true) : text }
            var listing = S3VersionListing(versions: [], next: nil)
            for element in document.children where element.name == "Version" || element.name == "DeleteMarker" {
                guard let key = element["Key"].flatMap({ decoded($0.text) }), !key.isEmpty,
                    let version = element["VersionId"]?.text
                else { throw Self.missing("version's key or id", response, sent) }
                listing.versions.append(S3ObjectIdentifier(key: key, versionID: version))
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
            return listing
        }
    }
}
