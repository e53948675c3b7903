import Foundation
import Hummingbird
import S3

extension Operations {
    private static let copyStep = 4 * 1024 * 1024

    func copyObject(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let condition = try self.writeCondition(request)
        let directive = request.header("x-amz-metadata-directive")?.uppercased() ?? "COPY"
        guard directive == "COPY" || directive == "REPLACE" else {
            throw S3Error.invalidArgument("Unknown metadata directive.")
        }
        let (sourceBucket, sourceKey) = try self.copySource(request)
        guard directive == "REPLACE" || sourceBucket != bucket || sourceKey != key else {
            throw S3Error(
                .invalidRequest,
                status: 400,
                message: "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata."
            )
        }
        let source = try await self.openCopySource(request)
        guard source.record.size <= Payload.maximumObjectSize else {
            throw S3Error(
                .invalidRequest,
                status: 400,
                message: "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
            )
        }
        let attributes = directive == "COPY" ? source.record.attributes : try self.attributes(request)
        try await self.disk.run { try $0.check(condition, bucket, key) }
        let writer = try await self.disk.run { try $0.makeWriter() }
        let record = try await self.disk.discarding(writer) {
            try await self.copy(0..<source.record.size, of: source, to: writer)
            return try await self.disk.run { store in
                try store.commit(
                    writer,
                    bucket: bucket,
                    key: key,
                    etag: writer.digests().md5,
                    attributes: attributes,
                    checksums: source.record.checksums,
                    condition: condition
                )
            }
        }
        return Response.xml("CopyObjectResult") { xml in
            xml.element("LastModified", text: Timestamp.iso8601(record.modifiedDate))
            xml.element("ETag", text: ETag.quoted(record.etag))
        }
    }

    /// Copies from a file that stays the one that was opened, whatever becomes of its key meanwhile.
    func copy(_ range: Range<Int64>, of source: ObjectFile, to writer: ObjectWriter) async throws {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let length = Int(min(Int64(Self.copyStep), range.upperBound - offset))
            try await self.disk.run { [offset] _ in
                try writer.write([source.read(at: offset, length: length)])
            }
            offset += Int64(length)
        }
    }

    /// The object that `x-amz-copy-source` names, open, if the request's conditions on it hold.
    func openCopySource(_ request: S3Request) async throws -> ObjectFile {
        let (bucket, key) = try self.copySource(request)
        let source = try await self.disk.run { try $0.object(bucket, key) }
        try Self.checkConditions(request, source.record, prefix: "x-amz-copy-source-", unmodified: Self.conditionFailed)
        return source
    }

    private func copySource(_ request: S3Request) throws(S3Error) -> (bucket: String, key: ObjectKey) {
        let header = request.header("x-amz-copy-source") ?? ""
        let invalid = S3Error.invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        let halves = header.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if halves.count == 2, halves[1] != "versionId=null" {
            throw halves[1].hasPrefix("versionId=")
                ? S3Error(.noSuchVersion, status: 404, message: "The specified version does not exist.") : invalid
        }
        guard let first = halves.first, let decoded = URIEncoding.decode(first) else {
            throw invalid
        }
        let path = decoded.first == UInt8(ascii: "/") ? decoded.dropFirst() : decoded[...]
        guard let slash = path.firstIndex(of: UInt8(ascii: "/")),
            let bucket = String(validating: path[..<slash], as: UTF8.self), slash + 1 < path.endIndex
        else {
            throw invalid
        }
        return (bucket, try ObjectKey(Array(path[(slash + 1)...])))
    }
}
