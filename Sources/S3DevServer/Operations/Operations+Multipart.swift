import Foundation
import Hummingbird
import S3

extension Operations {
    func createUpload(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let attributes = try self.attributes(request)
        let upload = try await self.disk.run { try $0.createUpload(bucket: bucket, key: key, attributes: attributes) }
        return Response.xml("InitiateMultipartUploadResult") { xml in
            xml.element("Bucket", text: bucket)
            xml.element("Key", text: upload.key)
            xml.element("UploadId", text: upload.id)
        }
    }

    private func upload(_ request: S3Request) async throws -> UploadRecord {
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
        let payload = try Payload(request, verified, secretAccessKey: self.configuration.secretAccessKey)
        let (writer, etag, checksums) = try await payload.receive(self.disk)
        _ = try await self.disk.discarding(writer) {
            try await self.disk.run { try $0.commitPart(writer, number: number, of: upload, etag: etag) }
        }
        var response = Response(status: .ok)
        response.headers[.eTag] = ETag.quoted(etag)
        for (name, value) in checksums {
            response.headers.set(name, value)
        }
        return response
    }

    func uploadPartCopy(_ request: S3Request) async throws -> Response {
        let number = try self.partNumber(request)
        let upload = try await self.upload(request)
        let source = try await self.openCopySource(request)
        var range = 0..<source.record.size
        if let header = request.header("x-amz-copy-source-range") {
            let halves = header.hasPrefix("bytes=") ? header.dropFirst("bytes=".count).split(separator: "-") : []
            guard halves.count == 2, let first = Int64(halves[0]), let last = Int64(halves[1]), first >= 0, first <= last else {
                throw S3Error.invalidArgument(
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                        + "zero-based offsets of the first and last bytes to copy"
                )
            }
            guard last < source.record.size else {
                throw S3Error(
                    .invalidArgument,
                    status: 400,
                    message: "Range specified is not valid for source object of size: \(source.record.size)"
                )
            }
            range = first..<(last + 1)
        }
        guard Int64(range.count) <= Payload.maximumObjectSize else {
            throw Payload.tooLarge
        }
        let writer = try await self.disk.run { try $0.makeWriter() }
        let record = try await self.disk.discarding(writer) {
            try await self.copy(range, of: source, to: writer)
            return try await self.disk.run { store in
                try store.commitPart(writer, number: number, of: upload, etag: writer.digests().md5)
            }
        }
        return Response.xml("CopyPartResult") { xml in
            xml.element("LastModified", text: Timestamp.iso8601(record.modifiedDate))
            xml.element("ETag", text: ETag.quoted(record.etag))
        }
    }

    func completeUpload(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let condition = try self.writeCondition(request)
        let upload = try await self.upload(request)
        let body = try await Payload(request, verified, secretAccessKey: self.configuration.secretAccessKey)
            .collect(upTo: Self.maximumDocument)
        let parts = try self.requestedParts(body)
        try await self.disk.run { try $0.check(condition, bucket, key) }
        if let text = request.header("x-amz-mp-object-size") {
            let sizes = try await self.checkedSizes(parts, of: upload)
            guard Int64(text) == sizes.reduce(0, +) else {
                throw S3Error(
                    .invalidRequest,
                    status: 400,
                    message: "The provided 'x-amz-mp-object-size' is not the parts' total."
                )
            }
        } else {
            _ = try await self.checkedSizes(parts, of: upload)
        }

        let writer = try await self.disk.run { try $0.makeWriter() }
        let record = try await self.disk.discarding(writer) {
            for part in parts {
                let file = try await self.openPart(part, of: upload)
                try await self.copy(0..<file.record.size, of: file, to: writer)
            }
            return try await self.disk.run { store in
                try store.commit(
                    writer,
                    bucket: bucket,
                    key: key,
                    etag: Store.etag(ofParts: parts.map(\.etag)),
                    attributes: upload.attributes,
                    condition: condition,
                    completing: upload
                )
            }
        }
        return Response.xml("CompleteMultipartUploadResult") { xml in
            xml.element("Location", text: self.location(request, bucket: bucket, key: key))
            xml.element("Bucket", text: bucket)
            xml.element("Key", text: key.text)
            xml.element("ETag", text: ETag.quoted(record.etag))
        }
    }

    private struct RequestedPart: Sendable {
        var number: Int
        var etag: String
    }

    private func requestedParts(_ body: [UInt8]) throws(S3Error) -> [RequestedPart] {
        let document = try Self.document(body, root: "CompleteMultipartUpload")
        var parts: [RequestedPart] = []
        for element in document.all("Part") {
            guard let number = element["PartNumber"].flatMap({ Int($0.text) }), let etag = element["ETag"]?.text,
                (1...Store.maximumParts).contains(number)
            else {
                throw S3Error(.malformedXML, status: 400, message: "Each Part needs a PartNumber and an ETag.")
            }
            if let last = parts.last, last.number >= number {
                throw S3Error(
                    S3Error.Code("InvalidPartOrder"),
                    status: 400,
                    message: "The list of parts was not in ascending order. Parts must be ordered by part number."
                )
            }
            parts.append(RequestedPart(number: number, etag: ETag.unquoted(etag)))
        }
        guard !parts.isEmpty else {
            throw S3Error(.malformedXML, status: 400, message: "You must specify at least one part")
        }
        return parts
    }

    private func openPart(_ part: RequestedPart, of upload: UploadRecord) async throws -> ObjectFile {
        guard let file = try await self.disk.run({ try $0.part(part.number, of: upload) }), file.record.etag == part.etag else {
            throw S3Error(
                .invalidPart,
                status: 400,
                message: "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
                    + "specified entity tag may not match the part's entity tag."
            )
        }
        return file
    }

    private func checkedSizes(_ parts: [RequestedPart], of upload: UploadRecord) async throws -> [Int64] {
        var sizes: [Int64] = []
        for (index, part) in parts.enumerated() {
            let size = try await self.openPart(part, of: upload).record.size
            guard index == parts.count - 1 || size >= self.configuration.minimumPartSize else {
                throw S3Error(
                    .entityTooSmall,
                    status: 400,
                    message: "Your proposed upload is smaller than the minimum allowed size"
                )
            }
            sizes.append(size)
        }
        return sizes
    }

    func abortUpload(_ request: S3Request) async throws -> Response {
        let upload = try await self.upload(request)
        try await self.disk.run { try $0.abort(upload) }
        return Response(status: .noContent)
    }

    func listParts(_ request: S3Request) async throws -> Response {
        let upload = try await self.upload(request)
        let maximum = try self.maximum(request, "max-parts")
        let marker = request.parameter("part-number-marker").flatMap { Int($0) } ?? 0
        let all = try await self.disk.run { try $0.parts(of: upload) }.filter { $0.number > marker }
        let page = all.prefix(maximum)
        return Response.xml("ListPartsResult") { xml in
            xml.element("Bucket", text: upload.bucket)
            xml.element("Key", text: upload.key)
            xml.element("UploadId", text: upload.id)
            xml.element("PartNumberMarker", text: String(marker))
            if let last = page.last, page.count < all.count {
                xml.element("NextPartNumberMarker", text: String(last.number))
            }
            xml.element("MaxParts", text: String(maximum))
            xml.element("IsTruncated", text: page.count < all.count && maximum > 0 ? "true" : "false")
            for part in page {
                xml.element("Part") { xml in
                    xml.element("PartNumber", text: String(part.number))
                    xml.element("LastModified", text: Timestamp.iso8601(part.record.modifiedDate))
                    xml.element("ETag", text: ETag.quoted(part.record.etag))
                    xml.element("Size", text: String(part.record.size))
                }
            }
        }
    }

    func listUploads(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let prefix = request.parameter("prefix") ?? ""
        let maximum = try self.maximum(request, "max-uploads")
        let encodes = try self.encodesKeys(request)
        if request.has("delimiter") {
            throw S3Error.notImplemented("delimiter in a listing of uploads")
        }
        let keyMarker = request.parameter("key-marker") ?? ""
        let idMarker = request.parameter("upload-id-marker") ?? ""
        let listed = try await self.disk.run { try $0.uploads(of: bucket) }.filter { $0.key.utf8.starts(with: prefix.utf8) }
        // Behind the marker: later keys, and with an id the uploads of the same key that follow that one.
        var start = listed.startIndex
        if !keyMarker.isEmpty {
            let marked =
                idMarker.isEmpty
                ? nil : listed.firstIndex { $0.id == idMarker && $0.key.utf8.elementsEqual(keyMarker.utf8) }
            start =
                marked.map { $0 + 1 }
                ?? listed.firstIndex { keyMarker.utf8.lexicographicallyPrecedes($0.key.utf8) } ?? listed.endIndex
        }
        let all = listed[start...]
        let page = all.prefix(maximum)
        func encoded(_ text: String) -> String { encodes ? URIEncoding.encode(text, keepSlash: true) : text }
        return Response.xml("ListMultipartUploadsResult") { xml in
            xml.element("Bucket", text: bucket)
            xml.element("KeyMarker", text: encoded(keyMarker))
            xml.element("UploadIdMarker", text: idMarker)
            xml.element("Prefix", text: encoded(prefix))
            if encodes {
                xml.element("EncodingType", text: "url")
            }
            xml.element("MaxUploads", text: String(maximum))
            let isTruncated = page.count < all.count && maximum > 0
            xml.element("IsTruncated", text: isTruncated ? "true" : "false")
            if isTruncated, let last = page.last {
                xml.element("NextKeyMarker", text: encoded(last.key))
                xml.element("NextUploadIdMarker", text: last.id)
            }
            for upload in page {
                xml.element("Upload") { xml in
                    xml.element("Key", text: encoded(upload.key))
                    xml.element("UploadId", text: upload.id)
                    xml.element("Initiated", text: Timestamp.iso8601(upload.initiatedDate))
                    xml.element("StorageClass", text: "STANDARD")
                }
            }
        }
    }
}
