import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import S3

extension Operations {
    private static let readLength = 256 * 1024

    func getObject(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let version = try request.version()
        // Small objects, which most are, take one hop to the disk's threads with all their bytes.
        let (file, part, range, buffer) = try await self.disk.run { store in
            let file = try store.object(bucket, key, version: version)
            let (part, range) = try Self.bounds(request, file.record)
            let bounds = range ?? 0..<file.record.size
            let reads = request.method == "GET" && bounds.count <= Self.readLength
            return (file, part, range, reads ? try file.read(at: bounds.lowerBound, length: bounds.count) : nil)
        }
        let record = file.record
        let bounds = range ?? 0..<record.size

        var headers = Self.headers(of: record)
        headers.set("x-amz-version-id", file.shownVersion)
        for (parameter, header) in Self.overrides {
            headers.set(header, request.parameter(parameter))
        }
        headers[.acceptRanges] = "bytes"
        headers[.contentLength] = String(bounds.count)
        if part != nil, let parts = record.parts {
            headers.set("x-amz-mp-parts-count", String(parts.count))
        }
        if range != nil, !bounds.isEmpty {
            headers[.contentRange] = "bytes \(bounds.lowerBound)-\(bounds.upperBound - 1)/\(record.size)"
        }
        if bounds.count == record.size, request.header("x-amz-checksum-mode")?.uppercased() == "ENABLED" {
            headers.setChecksums(of: record)
        }
        let status: HTTPResponse.Status = range == nil || bounds.isEmpty ? .ok : .partialContent
        guard request.method == "GET" else {
            return Response(status: status, headers: headers)
        }
        let body = buffer.map { ResponseBody(byteBuffer: $0) } ?? self.body(bounds, of: file)
        return Response(status: status, headers: headers, body: body)
    }

    /// What of an object is to be read, if it is to be.
    private static func bounds(
        _ request: S3Request,
        _ record: ObjectRecord
    ) throws -> (part: Range<Int64>?, range: Range<Int64>?) {
        try self.checkConditions(
            request,
            record,
            unmodified: Refusal(
                S3Error(.notModified, status: 304, message: "Not Modified"),
                headers: [("etag", ETag.quoted(record.etag)), ("last-modified", Timestamp.http(record.modifiedDate))]
            )
        )
        if request.method == "GET" {
            try self.requireReadable(record)
        }
        let part = try self.part(request, of: record)
        return (part, try part ?? request.header("range").flatMap { try ByteRange.parse($0, size: record.size) })
    }

    private func body(_ bounds: Range<Int64>, of file: ObjectFile) -> ResponseBody {
        let disk = self.disk
        return ResponseBody(contentLength: bounds.count) { writer in
            var offset = bounds.lowerBound
            while offset < bounds.upperBound {
                let length = Int(min(Int64(Self.readLength), bounds.upperBound - offset))
                let buffer = try await disk.run { [offset] _ in try file.read(at: offset, length: length) }
                try await writer.write(buffer)
                offset += Int64(length)
            }
            try await writer.finish(nil)
        }
    }

    /// The bytes of the part that `partNumber` names.
    private static func part(_ request: S3Request, of record: ObjectRecord) throws -> Range<Int64>? {
        guard let text = request.parameter("partNumber") else {
            return nil
        }
        guard request.header("range") == nil else {
            throw S3Error.invalidRequest("Cannot specify both Range header and partNumber query parameter")
        }
        guard let number = Int(text), (1...Store.maximumParts).contains(number) else {
            throw S3Error.invalidArgument("Part number must be an integer between 1 and 10000, inclusive")
        }
        let sizes = record.parts?.map(\.size) ?? [record.size]
        guard number <= sizes.count else {
            throw S3Error(S3Error.Code("InvalidPartNumber"), status: 416, message: "The requested partnumber is not satisfiable")
        }
        let start = sizes[..<(number - 1)].reduce(0, +)
        return start..<(start + sizes[number - 1])
    }

    /// What lies in an archive must be restored first, which this server does not do.
    static func requireReadable(_ record: ObjectRecord) throws(S3Error) {
        guard let storageClass = record.attributes.storageClass, ["GLACIER", "DEEP_ARCHIVE"].contains(storageClass) else {
            return
        }
        throw S3Error(
            S3Error.Code("InvalidObjectState"),
            status: 403,
            message: "The operation is not valid for the object's storage class"
        )
    }

    private static let overrides = [
        ("response-content-type", "content-type"), ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"), ("response-content-language", "content-language"),
        ("response-cache-control", "cache-control"), ("response-expires", "expires"),
    ]

    private static func headers(of record: ObjectRecord) -> HTTPFields {
        var headers = HTTPFields()
        headers[.eTag] = ETag.quoted(record.etag)
        headers[.lastModified] = Timestamp.http(record.modifiedDate)
        headers.set("content-type", record.attributes.contentType ?? "binary/octet-stream")
        headers.set("content-disposition", record.attributes.contentDisposition)
        headers.set("content-encoding", record.attributes.contentEncoding)
        headers.set("content-language", record.attributes.contentLanguage)
        headers.set("cache-control", record.attributes.cacheControl)
        headers.set("expires", record.attributes.expires)
        headers.set("x-amz-website-redirect-location", record.attributes.websiteRedirectLocation)
        headers.set("x-amz-storage-class", record.attributes.storageClass)
        headers.set(record.attributes.encryption)
        if let tags = record.attributes.tags, !tags.isEmpty {
            headers.set("x-amz-tagging-count", String(tags.count))
        }
        for (name, value) in record.attributes.metadata {
            headers.set("x-amz-meta-\(name)", value)
        }
        return headers
    }
}

enum ByteRange {
    /// One range of bytes; nil for what S3 ignores: other units, and several ranges.
    static func parse(_ text: String, size: Int64) throws(S3Error) -> Range<Int64>? {
        guard text.hasPrefix("bytes="), !text.contains(",") else {
            return nil
        }
        let halves = text.dropFirst("bytes=".count).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2 else {
            return nil
        }
        let unsatisfiable = S3Error(.invalidRange, status: 416, message: "The requested range is not satisfiable")
        if halves[0].isEmpty {
            guard let length = number(halves[1]) else {
                return nil
            }
            guard length > 0, size > 0 else {
                throw unsatisfiable
            }
            return max(0, size - length)..<size
        }
        guard let first = number(halves[0]) else {
            return nil
        }
        guard first < size else {
            throw unsatisfiable
        }
        guard !halves[1].isEmpty else {
            return first..<size
        }
        guard let last = number(halves[1]), last >= first else {
            return nil
        }
        return first..<(min(last, size - 1) + 1)
    }

    /// Digits and nothing else: no sign, no space.
    static func number(_ digits: Substring) -> Int64? {
        digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int64(digits) : nil
    }
}
