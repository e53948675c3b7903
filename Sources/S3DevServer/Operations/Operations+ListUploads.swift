import Foundation
import Hummingbird
import S3

extension Operations {
    func listParts(_ request: S3Request) async throws -> Response {
        let upload = try await self.upload(request)
        let maximum = try self.maximum(request, "max-parts")
        var marker = 0
        if let text = request.parameter("part-number-marker"), !text.isEmpty {
            guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
                throw S3Error.invalidArgument("Provided part-number-marker not an integer or within integer range")
            }
            marker = number
        }
        let (page, isTruncated) = try await self.disk.run { [marker] in
            try $0.parts(of: upload, after: marker, maximum: maximum)
        }
        return Response.xml("ListPartsResult") { xml in
            xml.element("Bucket", text: upload.bucket)
            xml.element("Key", text: upload.key)
            xml.element("UploadId", text: upload.id)
            self.owner("Initiator", to: &xml)
            self.owner(to: &xml)
            xml.element("StorageClass", text: upload.attributes.storageClass ?? "STANDARD")
            xml.element("PartNumberMarker", text: String(marker))
            if isTruncated, let last = page.last {
                xml.element("NextPartNumberMarker", text: String(last.number))
            }
            xml.element("MaxParts", text: String(maximum))
            xml.element("IsTruncated", text: isTruncated ? "true" : "false")
            if let algorithm = upload.checksumAlgorithm, let type = upload.checksumType {
                xml.element("ChecksumAlgorithm", text: algorithm)
                xml.element("ChecksumType", text: type.rawValue)
            }
            for part in page {
                xml.element("Part") { xml in
                    xml.element("PartNumber", text: String(part.number))
                    xml.element("LastModified", text: Timestamp.iso8601(part.record.modifiedDate))
                    xml.element("ETag", text: ETag.quoted(part.record.etag))
                    xml.element("Size", text: String(part.record.size))
                    xml.checksums(part.record.checksums)
                }
            }
        }
    }

    func listUploads(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let prefix = request.parameter("prefix") ?? ""
        let delimiter = request.parameter("delimiter") ?? ""
        let maximum = try self.maximum(request, "max-uploads")
        let encodes = try self.encodesKeys(request)
        let keyMarker = request.parameter("key-marker") ?? ""
        // Without a key, S3 does not look at the id.
        let idMarker = keyMarker.isEmpty ? "" : request.parameter("upload-id-marker") ?? ""
        let uploads = try await self.disk.run { try $0.uploads(of: bucket) }
        let listing = UploadListing(
            UploadListing.Request(
                prefix: Array(prefix.utf8),
                delimiter: Array(delimiter.utf8),
                maximum: maximum,
                keyMarker: Array(keyMarker.utf8),
                idMarker: idMarker
            ),
            of: uploads
        )
        func encoded(_ bytes: some Collection<UInt8>) -> String {
            encodes ? URIEncoding.encode(bytes, keepSlash: true) : String(decoding: bytes, as: UTF8.self)
        }
        return Response.xml("ListMultipartUploadsResult") { xml in
            xml.element("Bucket", text: bucket)
            xml.element("KeyMarker", text: encoded(keyMarker.utf8))
            xml.element("UploadIdMarker", text: idMarker)
            xml.element("Prefix", text: encoded(prefix.utf8))
            if !delimiter.isEmpty {
                xml.element("Delimiter", text: encoded(delimiter.utf8))
            }
            if encodes {
                xml.element("EncodingType", text: "url")
            }
            xml.element("MaxUploads", text: String(maximum))
            xml.element("IsTruncated", text: listing.next == nil ? "false" : "true")
            if let next = listing.next {
                xml.element("NextKeyMarker", text: encoded(next.key))
                xml.element("NextUploadIdMarker", text: next.id)
            }
            for upload in listing.uploads {
                xml.element("Upload") { xml in
                    xml.element("Key", text: encoded(upload.key.utf8))
                    xml.element("UploadId", text: upload.id)
                    self.owner("Initiator", to: &xml)
                    self.owner(to: &xml)
                    xml.element("StorageClass", text: upload.attributes.storageClass ?? "STANDARD")
                    xml.element("Initiated", text: Timestamp.iso8601(upload.initiatedDate))
                    if let algorithm = upload.checksumAlgorithm, let type = upload.checksumType {
                        xml.element("ChecksumAlgorithm", text: algorithm)
                        xml.element("ChecksumType", text: type.rawValue)
                    }
                }
            }
            for prefix in listing.prefixes {
                xml.element("CommonPrefixes") { $0.element("Prefix", text: encoded(prefix)) }
            }
        }
    }
}
