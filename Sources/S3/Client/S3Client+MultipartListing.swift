import NIOHTTP1

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// A part that a multipart upload has so far.
package struct S3ListedPart: Sendable, Hashable {
    package var part: S3Part
    package var size: Int64

    package init(part: S3Part, size: Int64) {
        self.part = part
        self.size = size
    }
}

/// A multipart upload that is neither complete nor given up: its parts cost money.
package struct S3ListedUpload: Sendable, Hashable {
    package var key: String
    package var uploadID: String
    package var initiated: Date

    package init(key: String, uploadID: String, initiated: Date) {
        self.key = key
        self.uploadID = uploadID
        self.initiated = initiated
    }
}

/// A page of a bucket's multipart uploads, in the order of their keys.
package struct S3UploadListing: Sendable {
    package var uploads: [S3ListedUpload]
    /// Gives the next page; nil on the last.
    package var next: Marker?

    package struct Marker: Sendable, Hashable {
        package var key: String
        package var uploadID: String
    }

    package init(uploads: [S3ListedUpload], next: Marker?) {
        self.uploads = uploads
        self.next = next
    }
}

extension S3Client {
    /// Ten thousand parts take ten pages; more cannot be.
    private static let partPages = 11
    private static let uploadListingLimit = 8 << 20
    private static let uploadPage = 1_000

    /// All parts that a multipart upload has so far, by their numbers.
    ///
    /// ([AWS: ListParts](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html))
    ///
    /// - Throws: ``S3Error/Code/noSuchUpload`` when it was completed or aborted.
    package func listParts(bucket: String, key: String, uploadID: String) async throws -> [S3ListedPart] {
        var parts: [S3ListedPart] = []
        var marker = 0
        for _ in 0..<Self.partPages {
            let request = S3Request(
                operation: .listParts,
                method: .GET,
                bucket: bucket,
                key: key,
                query: [("uploadId", uploadID), ("part-number-marker", String(marker))],
                timeout: self.timeouts.request,
                responseLimit: 1 << 20
            )
            let (page, isTruncated) = try await self.send(request) { response throws(S3Error) in
                let document = try Self.document(response, "ListPartsResult", request)
                var page: [S3ListedPart] = []
                var numbers: Set<Int> = []
                for element in document.children where element.name == "Part" {
                    guard
                        let number = element["PartNumber"].flatMap({ Int($0.text) }), (1...10_000).contains(number),
                        let size = element["Size"].flatMap({ Int64($0.text) }), size >= 0,
                        let etag = element["ETag"]?.text, !etag.isEmpty
                    else { throw Self.missing("part's number, size or ETag", response, request) }
                    // What is copied already is told by it: a part that comes twice would be counted twice.
                    if !numbers.insert(number).inserted { try Self.refuse("a part comes twice", response, request) }
                    page.append(S3ListedPart(part: S3Part(number: number, etag: etag), size: size))
                }
                return (page, document["IsTruncated"]?.text == "true")
            }
            parts += page
            // A page that does not lead on is the last, whatever it says.
            guard isTruncated, let last = page.last?.part.number, last > marker else { return parts }
            marker = last
        }
        return parts
    }

    /// One page of the bucket's multipart uploads that are neither complete nor given up.
    ///
    /// ([AWS: ListMultipartUploads](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html))
    package func listMultipartUploads(
        bucket: String,
        prefix: String = "",
        after marker: S3UploadListing.Marker? = nil
    ) async throws -> S3UploadListing {
        var request = S3Request(
            operation: .listMultipartUploads,
            method: .GET,
            bucket: bucket,
            // Encoded keys are not asked for: Ceph sends them and does not say so, and ministack does not send them.
            query: [("uploads", ""), ("max-uploads", String(Self.uploadPage))],
            timeout: self.timeouts.request,
            responseLimit: Self.uploadListingLimit
        )
        if !prefix.isEmpty { request.query.append(("prefix", prefix)) }
        if let marker { request.query += [("key-marker", marker.key), ("upload-id-marker", marker.uploadID)] }
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "ListMultipartUploadsResult", sent)
            let isEncoded = document["EncodingType"]?.text == "url"
            func decoded(_ text: String) -> String? { isEncoded ? URIEncoding.decodeText(text, plusIsSpace: true) : text }
            var listing = S3UploadListing(uploads: [], next: nil)
            for element in document.children where element.name == "Upload" {
                guard
                    let key = element["Key"].flatMap({ decoded($0.text) }), !key.isEmpty,
                    let uploadID = element["UploadId"]?.text, !uploadID.isEmpty,
                    let initiated = element["Initiated"].flatMap({ Timestamp.parseISO8601($0.text) })
                else { throw Self.missing("upload's key, id or date", response, sent) }
                listing.uploads.append(S3ListedUpload(key: key, uploadID: uploadID, initiated: initiated))
            }
            if document["IsTruncated"]?.text == "true" {
                let next = S3UploadListing.Marker(
                    key: decoded(try Self.required("NextKeyMarker", in: document, response, sent)) ?? "",
                    uploadID: document["NextUploadIdMarker"]?.text ?? ""
                )
                // One that stays where it is would be followed for ever.
                guard next != marker else { throw Self.missing("marker that leads on", response, sent) }
                listing.next = next
            }
            // A store may not know the prefix here: whoever gives uploads up looks at their keys.
            try Self.refuse(Self.absurdity(of: listing.uploads.map(\.key), prefix: "", most: Self.uploadPage), response, sent)
            return listing
        }
    }
}
