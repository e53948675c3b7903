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
        let file = try await self.disk.run { try $0.object(bucket, key) }
        let record = file.record
        try Self.checkConditions(
            request,
            record,
            unmodified: S3Error(.notModified, status: 304, message: "Not Modified")
        )
        let range = try request.header("range").flatMap { try ByteRange.parse($0, size: record.size) }
        let bounds = range ?? 0..<record.size

        var headers = Self.headers(of: record)
        for (parameter, header) in Self.overrides {
            headers.set(header, request.parameter(parameter))
        }
        headers[.acceptRanges] = "bytes"
        headers[.contentLength] = String(bounds.count)
        if range != nil {
            headers[.contentRange] = "bytes \(bounds.lowerBound)-\(bounds.upperBound - 1)/\(record.size)"
        } else if request.header("x-amz-checksum-mode")?.uppercased() == "ENABLED" {
            for (name, value) in record.checksums {
                headers.set(name, value)
            }
        }
        let status: HTTPResponse.Status = range == nil ? .ok : .partialContent
        guard request.method == "GET" else {
            return Response(status: status, headers: headers)
        }
        let disk = self.disk
        let body = ResponseBody(contentLength: bounds.count) { writer in
            var offset = bounds.lowerBound
            while offset < bounds.upperBound {
                let length = Int(min(Int64(Self.readLength), bounds.upperBound - offset))
                let buffer = try await disk.run { [offset] _ in try file.read(at: offset, length: length) }
                try await writer.write(buffer)
                offset += Int64(length)
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
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
        func number(_ digits: Substring) -> Int64? {
            digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int64(digits) : nil
        }
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
}
