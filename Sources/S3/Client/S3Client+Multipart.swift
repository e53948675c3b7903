package import NIOCore
import NIOHTTP1

/// A part that is stored, for ``S3Client/completeMultipartUpload(bucket:key:uploadID:parts:size:ifNoneMatch:ifMatch:)``.
package struct S3Part: Sendable, Hashable {
    /// From 1 to 10,000.
    package var number: Int
    package var etag: String

    package init(number: Int, etag: String) {
        self.number = number
        self.etag = etag
    }
}

/// An object made of parts.
package struct S3CompletedUpload: Sendable, Hashable {
    /// Nil where the store leaves it out, as Ceph 16 does: ask with ``S3Client/headObject(bucket:key:versionID:)``.
    package var etag: String?
    package var versionID: String?

    package init(etag: String?, versionID: String? = nil) {
        self.etag = etag
        self.versionID = versionID
    }
}

extension S3Client {
    /// Begins an object of several parts; they cost money until the upload is completed or aborted.
    ///
    /// Repeated after a lost answer, so that an upload nobody knows of may remain: a lifecycle rule ends those.
    package func createMultipartUpload(
        bucket: String,
        key: String,
        attributes: S3ObjectAttributes = S3ObjectAttributes()
    ) async throws -> String {
        var request = S3Request(
            operation: .createMultipartUpload,
            method: .POST,
            bucket: bucket,
            key: key,
            query: [("uploads", "")],
            timeout: self.timeouts.request
        )
        request.add(attributes)
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "InitiateMultipartUploadResult", sent)
            return try Self.required("UploadId", in: document, response, sent)
        }
    }

    /// Stores one part, 5 MiB or more unless it is the last.
    package func uploadPart(
        bucket: String,
        key: String,
        uploadID: String,
        number: Int,
        body: ByteBuffer
    ) async throws -> S3Part {
        var request = self.partRequest(.uploadPart, bucket, key, uploadID, number)
        request.timeout = self.timeouts.request + .seconds(body.readableBytes / 125_000)
        request.body = body
        let subject = request.subject
        return try await self.send(request) { response throws(S3Error) in
            S3Part(number: number, etag: try Self.putResult(response, subject).etag)
        }
    }

    /// Copies bytes of an object into a part. Safe to repeat: the part's number decides where it goes.
    ///
    /// ([AWS: UploadPartCopy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html))
    ///
    /// - Parameter copy: the source with its fence, and the destination the upload was created for; what else it holds was for
    ///   ``createMultipartUpload(bucket:key:attributes:)``.
    /// - Parameter range: nil for all of it; S3 copies ranges only of objects above 5 MB.
    package func uploadPartCopy(
        _ copy: S3CopyRequest,
        uploadID: String,
        number: Int,
        range: ClosedRange<Int64>?
    ) async throws -> S3Part {
        var request = self.partRequest(.uploadPartCopy, copy.bucket, copy.key, uploadID, number)
        request.timeout = self.timeouts.copy
        try self.addSource(copy, to: &request)
        request.add("x-amz-copy-source-range", range.map { "bytes=\($0.lowerBound)-\($0.upperBound)" })
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "CopyPartResult", sent)
            return S3Part(number: number, etag: try Self.required("ETag", in: document, response, sent))
        }
    }

    /// Makes the object of its parts, once: see ``S3Error/isOutcomeUnknown``.
    ///
    /// - Parameter size: of the whole; parts that come to another are refused, where the store honours it.
    package func completeMultipartUpload(
        bucket: String,
        key: String,
        uploadID: String,
        parts: [S3Part],
        size: Int64? = nil,
        ifNoneMatch: Bool = false,
        ifMatch: String? = nil
    ) async throws -> S3CompletedUpload {
        var writer = XMLWriter()
        writer.element("CompleteMultipartUpload", attributes: [("xmlns", Self.namespace)]) { writer in
            for part in parts.sorted(by: { $0.number < $1.number }) {
                writer.element("Part") { writer in
                    writer.element("PartNumber", text: String(part.number))
                    writer.element("ETag", text: part.etag)
                }
            }
        }
        var request = S3Request(
            operation: .completeMultipartUpload,
            method: .POST,
            bucket: bucket,
            key: key,
            query: [("uploadId", uploadID)],
            body: ByteBuffer(string: writer.text),
            repetition: .unsafe,
            timeout: self.timeouts.copy
        )
        request.add("content-type", "application/xml")
        request.add("x-amz-mp-object-size", size.map(String.init))
        if ifNoneMatch { request.add("if-none-match", "*") }
        request.add("if-match", ifMatch)
        let sent = request
        return try await self.send(sent) { response throws(S3Error) in
            let document = try Self.document(response, "CompleteMultipartUploadResult", sent)
            guard let etag = document["ETag"]?.text else { throw Self.missing("ETag", response, sent) }
            return S3CompletedUpload(
                etag: etag.isEmpty ? nil : etag,
                versionID: response.headers.first(name: "x-amz-version-id")
            )
        }
    }

    /// Gives the parts up. An upload that is gone is success.
    package func abortMultipartUpload(bucket: String, key: String, uploadID: String) async throws {
        let request = S3Request(
            operation: .abortMultipartUpload,
            method: .DELETE,
            bucket: bucket,
            key: key,
            query: [("uploadId", uploadID)],
            timeout: self.timeouts.request
        )
        do {
            try await self.send(request) { _ throws(S3Error) in }
        } catch let error as S3Error where error.code == .noSuchUpload {
            return
        }
    }

    private func partRequest(
        _ operation: S3Operation,
        _ bucket: String,
        _ key: String,
        _ uploadID: String,
        _ number: Int
    ) -> S3Request {
        S3Request(
            operation: operation,
            method: .PUT,
            bucket: bucket,
            key: key,
            query: [("partNumber", String(number)), ("uploadId", uploadID)],
            timeout: self.timeouts.request
        )
    }
}
