import NIOHTTP1

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

package struct S3ListedObject: Sendable, Hashable {
    package var key: String
    package var size: Int64
    package var etag: String
    package var lastModified: Date
}

/// A page of a bucket's objects, in the order of their keys' bytes.
package struct S3Listing: Sendable {
    package var objects: [S3ListedObject]
    /// Gives the next page; nil on the last.
    package var nextToken: String?
    /// The store's clock when it answered: the one that ``S3ListedObject/lastModified`` is by.
    package var date: Date?
}

extension S3Client {
    /// A thousand keys of a thousand bytes, each byte of which may be written as three.
    private static let listingLimit = 8 << 20

    /// One page, of up to 1,000 objects.
    ///
    /// - Parameters:
    ///   - continuationToken: the last page's ``S3Listing/nextToken``.
    ///   - startAfter: a key to begin behind; S3 ignores it next to a token.
    package func listObjects(
        bucket: String,
        prefix: String = "",
        continuationToken: String? = nil,
        startAfter: String? = nil,
        maxKeys: Int = 1000
    ) async throws -> S3Listing {
        var request = S3Request(
            operation: .listObjectsV2,
            method: .GET,
            bucket: bucket,
            // Keys may hold characters that XML has no form for, so S3 is asked to encode them.
            query: [("list-type", "2"), ("encoding-type", "url"), ("max-keys", String(maxKeys))],
            timeout: self.timeouts.request,
            responseLimit: Self.listingLimit
        )
        if !prefix.isEmpty { request.query.append(("prefix", prefix)) }
        if let continuationToken { request.query.append(("continuation-token", continuationToken)) }
        if let startAfter { request.query.append(("start-after", startAfter)) }
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "ListBucketResult", sent)
            let isEncoded = document["EncodingType"]?.text == "url"
            var listing = S3Listing(
                objects: [],
                nextToken: nil,
                date: response.headers.first(name: "date").flatMap { Timestamp.parseHTTP($0) }
            )
            for element in document.children where element.name == "Contents" {
                listing.objects.append(try Self.listedObject(element, isEncoded, response, sent))
            }
            if document["IsTruncated"]?.text == "true" {
                listing.nextToken = try Self.required("NextContinuationToken", in: document, response, sent)
            }
            try Self.refuse(
                listing.absurdity(
                    prefix: prefix,
                    after: continuationToken == nil ? startAfter : nil,
                    token: continuationToken,
                    maxKeys: maxKeys
                ),
                response,
                sent
            )
            return listing
        }
    }

    /// Why no store can mean a page with these keys, whatever their order: stores have their own for versions and for uploads in parts.
    static func absurdity(of keys: some Collection<String>, prefix: String, most: Int) -> String? {
        guard keys.count <= most else { return "it has \(keys.count) entries where \(most) were asked for" }
        guard keys.allSatisfy({ $0.utf8.starts(with: prefix.utf8) }) else { return "it has a key outside the prefix" }
        return nil
    }

    static func refuse(_ absurdity: String?, _ response: S3Response, _ request: S3Request) throws(S3Error) {
        guard let absurdity else { return }
        throw S3Error(
            .invalidResponse,
            status: response.status,
            message: "\(request.subject): the listing cannot be right, \(absurdity).",
            requestID: response.headers.first(name: "x-amz-request-id"),
            retryable: true
        )
    }

    private static func listedObject(
        _ element: XMLElement,
        _ isEncoded: Bool,
        _ response: S3Response,
        _ request: S3Request
    ) throws(S3Error) -> S3ListedObject {
        let text = try Self.required("Key", in: element, response, request)
        // AWS writes a space as a plus here, and a plus as %2B.
        guard
            let key = isEncoded ? URIEncoding.decodeText(text, plusIsSpace: true) : text,
            let size = element["Size"].flatMap({ Int64($0.text) }), size >= 0,
            let lastModified = element["LastModified"].flatMap({ Timestamp.parseISO8601($0.text) })
        else {
            throw S3Error(
                .invalidResponse,
                status: response.status,
                message: "\(request.subject): an object's key, size or date cannot be read.",
                requestID: response.headers.first(name: "x-amz-request-id")
            )
        }
        return S3ListedObject(key: key, size: size, etag: element["ETag"]?.text ?? "", lastModified: lastModified)
    }
}

extension S3Listing {
    /// Why no store can mean this answer. Whoever follows a listing deletes by it, or compares it in step with another.
    fileprivate func absurdity(prefix: String, after: String?, token: String?, maxKeys: Int) -> String? {
        guard self.objects.count <= maxKeys else { return "it has \(self.objects.count) objects where \(maxKeys) were asked for" }
        guard self.nextToken == nil || self.nextToken != token else { return "it leads to itself, for ever" }
        var last = after
        for object in self.objects {
            guard object.key.utf8.starts(with: prefix.utf8) else { return "it has a key outside the prefix" }
            if let last, !last.utf8.lexicographicallyPrecedes(object.key.utf8) { return "its keys are not in order" }
            last = object.key
        }
        return nil
    }
}
