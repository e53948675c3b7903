import Foundation
import Hummingbird
import S3

extension Operations {
    private static let objectAttributes: Set<String> = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]

    /// GetObjectAttributes (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html).
    func getObjectAttributes(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let version = try request.version()
        let names = Set(
            request.headers.filter { $0.name == "x-amz-object-attributes" }
                .flatMap { $0.value.split(separator: ",").map { $0.filter { $0 != " " } } }
        )
        guard !names.isEmpty, names.isSubset(of: Self.objectAttributes) else {
            throw S3Error.invalidArgument("Invalid attribute name specified.")
        }
        let file = try await self.disk.run { try $0.object(bucket, key, version: version) }
        let record = file.record
        let maximum = min(1000, request.header("x-amz-max-parts").flatMap { Int($0) } ?? 1000)
        let marker = request.header("x-amz-part-number-marker").flatMap { Int($0) } ?? 0
        guard maximum >= 0, marker >= 0 else {
            throw S3Error.invalidArgument("x-amz-max-parts and x-amz-part-number-marker must not be negative.")
        }
        var response = Response.xml("GetObjectAttributesResponse") { xml in
            if names.contains("ETag") {
                xml.element("ETag", text: record.etag)
            }
            if names.contains("Checksum"), !record.checksums.isEmpty {
                xml.element("Checksum") { xml in
                    // The number of parts is told elsewhere.
                    xml.checksums(record.checksums.mapValues { String($0.prefix { $0 != "-" }) })
                    xml.element("ChecksumType", text: (record.checksumType ?? .fullObject).rawValue)
                }
            }
            if names.contains("ObjectParts"), let parts = record.parts {
                xml.element("ObjectParts") { Self.write(parts, behind: marker, maximum: maximum, to: &$0) }
            }
            if names.contains("StorageClass") {
                xml.element("StorageClass", text: record.attributes.storageClass ?? "STANDARD")
            }
            if names.contains("ObjectSize") {
                xml.element("ObjectSize", text: String(record.size))
            }
        }
        response.headers[.lastModified] = Timestamp.http(record.modifiedDate)
        response.headers.set("x-amz-version-id", file.shownVersion)
        return response
    }

    private static func write(_ parts: [ObjectRecord.Part], behind marker: Int, maximum: Int, to xml: inout XMLWriter) {
        let rest = parts.filter { $0.number > marker }
        let page = rest.prefix(maximum)
        xml.element("PartsCount", text: String(parts.count))
        xml.element("PartNumberMarker", text: String(marker))
        xml.element("NextPartNumberMarker", text: String(page.last?.number ?? marker))
        xml.element("MaxParts", text: String(maximum))
        xml.element("IsTruncated", text: page.count < rest.count ? "true" : "false")
        for part in page {
            xml.element("Part") { xml in
                xml.element("PartNumber", text: String(part.number))
                xml.element("Size", text: String(part.size))
                xml.checksums(part.checksums)
            }
        }
    }
}
