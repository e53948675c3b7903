import AsyncHTTPClient
package import NIOCore
import NIOHTTP1

/// What S3 says of an object it has stored.
package struct S3PutResult: Sendable, Hashable {
    package var etag: String
    package var versionID: String?

    package init(etag: String, versionID: String? = nil) {
        self.etag = etag
        self.versionID = versionID
    }
}

extension S3Client {
    /// A missing object is ``S3Error/Code/noSuchKey``; since the answer to HEAD has no body, so is a missing bucket.
    ///
    /// - Parameter checksum: asks for ``S3ObjectHead/checksum`` too, where the store keeps one.
    package func headObject(
        bucket: String,
        key: String,
        versionID: String? = nil,
        checksum: Bool = false
    ) async throws -> S3ObjectHead {
        var request = S3Request(
            operation: .headObject,
            method: .HEAD,
            bucket: bucket,
            key: key,
            timeout: self.timeouts.request
        )
        if let versionID { request.query.append(("versionId", versionID)) }
        if checksum { request.add("x-amz-checksum-mode", "ENABLED") }
        let subject = request.subject
        return try await self.send(request) { response throws(S3Error) in
            try S3ObjectHead(status: response.status, headers: response.headers, subject: subject)
        }
    }

    /// Stores a small object, whole.
    package func putObject(
        bucket: String,
        key: String,
        body: ByteBuffer,
        attributes: S3ObjectAttributes = S3ObjectAttributes(),
        ifNoneMatch: Bool = false
    ) async throws -> S3PutResult {
        var request = self.putRequest(bucket, key, attributes, size: Int64(body.readableBytes))
        request.body = body
        if ifNoneMatch {
            request.add("if-none-match", "*")
            request.repetition = .unsafe
        }
        let subject = request.subject
        return try await self.send(request) { response throws(S3Error) in try Self.putResult(response, subject) }
    }

    /// Stores an object as its bytes come, in constant memory, and so without repeating anything.
    ///
    /// - Parameter length: S3 must know it beforehand; a body that turns out otherwise fails.
    package func putObject<Bytes: AsyncSequence & Sendable>(
        bucket: String,
        key: String,
        stream: Bytes,
        length: Int64,
        attributes: S3ObjectAttributes = S3ObjectAttributes()
    ) async throws -> S3PutResult where Bytes.Element == ByteBuffer {
        let request = self.putRequest(bucket, key, attributes, size: length)
        do {
            let response = try await self.begin(request, body: .stream(stream, length: .known(length)))
            let body = try await self.withinIdleTime { try await response.body.collect(upTo: request.responseLimit) }
            return try Self.putResult(
                S3Response(status: Int(response.status.code), headers: response.headers, body: body),
                request.subject
            )
        } catch {
            try Task.checkCancellation()
            throw try self.failure(error, request)
        }
    }

    /// No object under that key afterwards is success, also when there was none.
    ///
    /// - Parameter ifMatch: an ETag; older stores ignore it and delete anyway.
    package func deleteObject(
        bucket: String,
        key: String,
        versionID: String? = nil,
        ifMatch: String? = nil
    ) async throws {
        var request = S3Request(
            operation: .deleteObject,
            method: .DELETE,
            bucket: bucket,
            key: key,
            timeout: self.timeouts.request
        )
        if let versionID { request.query.append(("versionId", versionID)) }
        request.add("if-match", ifMatch)
        do {
            try await self.send(request) { _ throws(S3Error) in }
        } catch let error as S3Error where error.code == .noSuchKey || error.code == .noSuchVersion {
            return
        }
    }

    private func putRequest(
        _ bucket: String,
        _ key: String,
        _ attributes: S3ObjectAttributes,
        size: Int64
    ) -> S3Request {
        var request = S3Request(
            operation: .putObject,
            method: .PUT,
            bucket: bucket,
            key: key,
            // Time for a line of a megabit a second.
            timeout: self.timeouts.request + .seconds(size / 125_000)
        )
        request.add(attributes)
        return request
    }

    static func putResult(_ response: S3Response, _ subject: S3Error.Subject) throws(S3Error) -> S3PutResult {
        guard let etag = response.headers.first(name: "etag"), !etag.isEmpty else {
            throw S3Error(.invalidResponse, status: response.status, message: "\(subject): the answer has no ETag.")
        }
        return S3PutResult(etag: etag, versionID: response.headers.first(name: "x-amz-version-id"))
    }
}
