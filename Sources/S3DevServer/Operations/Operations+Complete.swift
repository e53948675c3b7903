import Foundation
import Hummingbird
import S3

/// A part as CompleteMultipartUpload names it.
private struct RequestedPart: Sendable {
    var number: Int
    var etag: String
    /// By header name.
    var checksums: [String: String]
}

extension Operations {
    func completeUpload(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let asked = try self.writeCondition(request)
        let upload = try await self.upload(request)
        let payload = try self.payload(request, verified, checksumIsOfObject: true)
        let parts = try Self.requestedParts(try await payload.collect(upTo: Self.maximumDocument))
        let condition = try await self.disk.run { try $0.begin(asked, bucket, key) }
        let records = try await self.disk.run { [minimum = self.configuration.minimumPartSize] in
            try Self.check(parts, of: upload, minimum: minimum, in: $0)
        }
        let members = zip(parts, records).map { part, record in
            ObjectRecord.Part(
                number: part.number,
                size: record.size,
                checksums: record.checksums.filter { $0.key == upload.checksum.headerName }
            )
        }
        try Self.checkSize(request, members.reduce(0) { $0 + $1.size })
        let checksums = try Self.checksums(request, of: upload, members)

        let writer = try await self.disk.run { try $0.makeWriter() }
        let stored = try await self.disk.discarding(writer) {
            for (part, record) in zip(parts, records) {
                let file = try await self.disk.run { try $0.part(part.number, of: upload) }
                guard let file, file.record.etag == record.etag, file.record.size == record.size else { throw Self.invalidPart }
                try await self.append(0..<record.size, of: file, to: writer)
            }
            var write = ObjectWrite(bucket: bucket, key: key, etag: Self.etag(parts, upload.attributes))
            write.attributes = upload.attributes
            write.checksums = checksums
            write.checksumType = upload.checksumType == .composite ? .composite : nil
            write.parts = members
            write.condition = condition
            write.upload = upload
            return try await self.disk.run { [write] in try $0.commit(writer, write) }
        }
        var response = Response.xml("CompleteMultipartUploadResult") { xml in
            xml.element("Location", text: self.location(request, bucket: bucket, key: key))
            xml.element("Bucket", text: bucket)
            xml.element("Key", text: key.text)
            xml.element("ETag", text: ETag.quoted(stored.record.etag))
            xml.checksums(of: stored.record)
        }
        response.headers.set(written: stored)
        response.headers[.eTag] = nil
        return response
    }

    private static func etag(_ parts: [RequestedPart], _ attributes: ObjectAttributes) -> String {
        attributes.encryption?.hidesMD5 == true
            ? "\(self.randomETag())-\(parts.count)" : Store.etag(ofParts: parts.map(\.etag))
    }

    private static func requestedParts(_ body: [UInt8]) throws(S3Error) -> [RequestedPart] {
        let document = try Self.document(body, root: "CompleteMultipartUpload")
        var parts: [RequestedPart] = []
        for element in document.all("Part") {
            guard let number = element["PartNumber"].flatMap({ Int($0.text) }), let etag = element["ETag"]?.text else {
                throw .malformedXML
            }
            guard (1...Store.maximumParts).contains(number) else {
                throw .invalidArgument("PartNumber must be >= 1 and <= 10000")
            }
            if let last = parts.last, last.number >= number {
                throw S3Error(
                    S3Error.Code("InvalidPartOrder"),
                    status: 400,
                    message: "The list of parts was not in ascending order. Parts must be ordered by part number."
                )
            }
            var checksums: [String: String] = [:]
            for algorithm in Checksum.Algorithm.allCases {
                checksums[algorithm.headerName] = element[algorithm.elementName]?.text
            }
            parts.append(RequestedPart(number: number, etag: ETag.unquoted(etag), checksums: checksums))
        }
        guard !parts.isEmpty else {
            throw S3Error(.malformedXML, status: 400, message: "You must specify at least one part")
        }
        return parts
    }

    private static var invalidPart: S3Error {
        S3Error(
            .invalidPart,
            status: 400,
            message: "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
                + "specified entity tag may not match the part's entity tag."
        )
    }

    /// Looks at the parts, each of which must be the one that the client means, and all but the last big enough. Their files are closed again,
    /// since there may be more of them than files may be open.
    private static func check(
        _ parts: [RequestedPart],
        of upload: UploadRecord,
        minimum: Int64,
        in store: Store
    ) throws -> [ObjectRecord] {
        var records: [ObjectRecord] = []
        for (index, part) in parts.enumerated() {
            if upload.checksumType == .composite, part.checksums.isEmpty {
                throw S3Error.invalidRequest(
                    "The upload was created using a \(upload.checksum.rawValue) checksum. The complete request must include the "
                        + "checksum for each part. It was missing for part \(part.number) in the request."
                )
            }
            guard let record = try store.part(part.number, of: upload)?.record, record.etag == part.etag,
                part.checksums.allSatisfy({ record.checksums[$0.key] == $0.value })
            else {
                throw Self.invalidPart
            }
            guard index == parts.count - 1 || record.size >= minimum else {
                throw Refusal(
                    S3Error(
                        .entityTooSmall,
                        status: 400,
                        message: "Your proposed upload is smaller than the minimum allowed size"
                    ),
                    elements: [
                        ("ProposedSize", String(record.size)), ("MinSizeAllowed", String(minimum)),
                        ("PartNumber", String(part.number)), ("ETag", part.etag),
                    ]
                )
            }
            records.append(record)
        }
        return records
    }

    private static func checkSize(_ request: S3Request, _ size: Int64) throws(S3Error) {
        guard let text = request.header("x-amz-mp-object-size") else {
            return
        }
        guard let expected = ByteRange.number(text[...]) else {
            throw .invalidRequest("Value for x-amz-mp-object-size header is invalid.")
        }
        guard expected == size else {
            throw .invalidRequest(
                "The provided 'x-amz-mp-object-size' header value \(expected) does not match what was computed: \(size)"
            )
        }
    }

    /// The object's checksum out of those of its parts, if it is what the client expects.
    private static func checksums(
        _ request: S3Request,
        of upload: UploadRecord,
        _ parts: [ObjectRecord.Part]
    ) throws(S3Error) -> [String: String] {
        let algorithm = upload.checksum
        let type = upload.checksumType ?? .fullObject
        if let asked = request.header("x-amz-checksum-type"), asked.uppercased() != type.rawValue {
            throw S3Error(
                .badDigest,
                status: 400,
                message:
                    "The upload was created using the \(type.rawValue) checksum mode. The complete request must use the same "
                    + "checksum mode."
            )
        }
        // Parts of an upload that began before this server computed checksums have none.
        guard let value = Checksum.combine(parts, algorithm, type) else {
            return [:]
        }
        for other in Checksum.Algorithm.allCases {
            guard let expected = request.header(other.headerName) else {
                continue
            }
            guard other == algorithm, expected == value || expected == String(value.prefix { $0 != "-" }) else {
                throw .badDigest(other.rawValue)
            }
        }
        return [algorithm.headerName: value]
    }
}
