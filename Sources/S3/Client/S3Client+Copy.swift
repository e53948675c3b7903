import NIOHTTP1

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// A copy within the store, up to 5 GB. What the copy should carry is said here; nothing is taken over from the source.
package struct S3CopyRequest: Sendable {
    package var sourceBucket: String
    package var sourceKey: String
    package var sourceVersionID: String?
    /// An ETag as S3 sent it: a source with other bytes by now is ``S3Error/Code/preconditionFailed``, where the store honours it.
    package var sourceIfMatch: String?
    package var bucket: String
    package var key: String
    package var attributes: S3ObjectAttributes
    /// Refuse to replace an object, where the store honours it.
    package var ifNoneMatch: Bool
    /// Replace only the object that has this ETag, where the store honours it.
    package var ifMatch: String?

    package init(
        sourceBucket: String,
        sourceKey: String,
        sourceVersionID: String? = nil,
        sourceIfMatch: String? = nil,
        bucket: String,
        key: String,
        attributes: S3ObjectAttributes = S3ObjectAttributes(),
        ifNoneMatch: Bool = false,
        ifMatch: String? = nil
    ) {
        self.sourceBucket = sourceBucket
        self.sourceKey = sourceKey
        self.sourceVersionID = sourceVersionID
        self.sourceIfMatch = sourceIfMatch
        self.bucket = bucket
        self.key = key
        self.attributes = attributes
        self.ifNoneMatch = ifNoneMatch
        self.ifMatch = ifMatch
    }
}

package struct S3CopyResult: Sendable, Hashable {
    package var etag: String
    package var lastModified: Date?
    package var versionID: String?
}

extension S3Client {
    /// Copies, once. A status of 200 is success only with an ETag inside: S3 sends it early and may fail after.
    ///
    /// ([AWS: CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html))
    package func copyObject(_ copy: S3CopyRequest) async throws -> S3CopyResult {
        var request = S3Request(
            operation: .copyObject,
            method: .PUT,
            bucket: copy.bucket,
            key: copy.key,
            repetition: .unsafe,
            timeout: self.timeouts.copy
        )
        try self.addSource(copy, to: &request)
        request.add("x-amz-metadata-directive", "REPLACE")
        // The source's tags would bring along what others said of it, such as a scanner's verdict.
        request.add("x-amz-tagging-directive", "REPLACE")
        request.add(copy.attributes)
        if copy.ifNoneMatch { request.add("if-none-match", "*") }
        request.add("if-match", copy.ifMatch)
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "CopyObjectResult", sent)
            return S3CopyResult(
                etag: try Self.required("ETag", in: document, response, sent),
                lastModified: document["LastModified"].flatMap { Timestamp.parseISO8601($0.text) },
                versionID: response.headers.first(name: "x-amz-version-id")
            )
        }
    }

    /// The source and its fence, of a copy or of a part of one.
    func addSource(_ copy: S3CopyRequest, to request: inout S3Request) throws(S3Error) {
        // The same rules as for a URL.
        _ = try self.resolvedEndpoint().target(bucket: copy.sourceBucket, key: copy.sourceKey)
        var source = URIEncoding.encode("\(copy.sourceBucket)/\(copy.sourceKey)", keepSlash: true)
        if let versionID = copy.sourceVersionID { source += "?versionId=\(URIEncoding.encode(versionID))" }
        request.add("x-amz-copy-source", source)
        request.add("x-amz-copy-source-if-match", copy.sourceIfMatch)
    }
}
