import Foundation
import Hummingbird
import S3

extension Operations {
    func createUpload(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let attributes = try self.attributes(request)
        let checksum = try Self.uploadChecksum(request)
        let upload = try await self.disk.run {
            try $0.createUpload(bucket: bucket, key: key, attributes: attributes, checksum: checksum)
        }
        var response = Response.xml("InitiateMultipartUploadResult") { xml in
            xml.element("Bucket", text: bucket)
            xml.element("Key", text: upload.key)
            xml.element("UploadId", text: upload.id)
        }
        response.headers.set(attributes.encryption)
        response.headers.set("x-amz-checksum-algorithm", upload.checksumAlgorithm)
        response.headers.set("x-amz-checksum-type", upload.checksumType?.rawValue)
        return response
    }

    private static func uploadChecksum(_ request: S3Request) throws(S3Error) -> (Checksum.Algorithm, ChecksumType)? {
        var type: ChecksumType?
        if let text = request.header("x-amz-checksum-type") {
            guard let known = ChecksumType(rawValue: text.uppercased()) else {
                throw .invalidRequest("Value for x-amz-checksum-type header is invalid.")
            }
            type = known
        }
        guard let algorithm = try self.checksumAlgorithm(request) else {
            guard type == nil else {
                throw .invalidRequest(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
                )
            }
            return nil
        }
        let chosen = type ?? algorithm.standardType
        guard algorithm.allows(chosen) else {
            throw .invalidRequest(
                "The \(chosen.rawValue) checksum type cannot be used with the \(algorithm.rawValue) checksum algorithm."
            )
        }
        return (algorithm, chosen)
    }

    func upload(_ request: S3Request) async throws -> UploadRecord {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let id = request.parameter("uploadId") ?? ""
        return try await self.disk.run { try $0.upload(id, bucket: bucket, key: key) }
    }

    private func partNumber(_ request: S3Request) throws(S3Error) -> Int {
        guard let number = request.parameter("partNumber").flatMap({ Int($0) }), (1...Store.maximumParts).contains(number) else {
            throw .invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
        }
        return number
    }

    func uploadPart(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let number = try self.partNumber(request)
        let upload = try await self.upload(request)
        let payload = try self.payload(request, verified)
        // Parts that belong together by their own checksums must have them; else the server can compute what it needs.
        if let declared = upload.checksumAlgorithm {
            let sent = payload.checksum?.algorithm.name
            guard sent == declared || (sent == nil && upload.checksumType == .fullObject) else {
                throw S3Error.invalidRequest(
                    "Checksum Type mismatch occurred, expected checksum Type: \(declared.lowercased()), actual checksum Type: "
                        + "\(sent?.lowercased() ?? "null")"
                )
            }
        }
        let part = try await payload.receive(self.disk, checksums: [upload.checksum]) { store, received in
            try store.commitPart(
                received.writer,
                number: number,
                of: upload,
                etag: Self.etag(md5: received.md5, upload.attributes),
                checksums: received.checksums
            )
        }
        var response = Response(status: .ok)
        response.headers[.eTag] = ETag.quoted(part.etag)
        response.headers.set(upload.attributes.encryption)
        let shown = payload.checksum?.algorithm ?? upload.checksum
        response.headers.set(shown.headerName, part.checksums[shown.headerName])
        return response
    }

    func uploadPartCopy(_ request: S3Request) async throws -> Response {
        let number = try self.partNumber(request)
        let upload = try await self.upload(request)
        let source = try await self.disk.run { try self.copySource(request, in: $0) }
        let range = try Self.copySourceRange(request, of: source.record) ?? 0..<source.record.size
        guard Int64(range.count) <= Payload.maximumObjectSize else {
            throw Payload.tooLarge
        }
        let checksum = upload.checksum
        let writer = try await self.disk.run { try $0.makeWriter(checksums: [checksum]) }
        let record = try await self.disk.discarding(writer) {
            try await self.copy(range, of: source, to: writer)
            return try await self.disk.run { store in
                let digests = writer.digests()
                let etag = Self.etag(md5: digests.md5, upload.attributes)
                return try store.commitPart(writer, number: number, of: upload, etag: etag, checksums: digests.checksums)
            }
        }
        var response = Response.xml("CopyPartResult") { xml in
            xml.element("LastModified", text: Timestamp.iso8601(record.modifiedDate))
            xml.element("ETag", text: ETag.quoted(record.etag))
            xml.checksums(record.checksums)
        }
        response.headers.set(upload.attributes.encryption)
        response.headers.set("x-amz-copy-source-version-id", source.shownVersion)
        return response
    }

    private static func copySourceRange(_ request: S3Request, of record: ObjectRecord) throws(S3Error) -> Range<Int64>? {
        guard let header = request.header("x-amz-copy-source-range") else {
            return nil
        }
        let halves =
            header.hasPrefix("bytes=")
            ? header.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false) : []
        guard halves.count == 2, let first = ByteRange.number(halves[0]), let last = ByteRange.number(halves[1]), first <= last
        else {
            throw .invalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy"
            )
        }
        guard last < record.size else {
            throw .invalidArgument("Range specified is not valid for source object of size: \(record.size)")
        }
        return first..<(last + 1)
    }

    func abortUpload(_ request: S3Request) async throws -> Response {
        let upload = try await self.upload(request)
        try await self.disk.run { try $0.abort(upload) }
        return Response(status: .noContent)
    }
}
