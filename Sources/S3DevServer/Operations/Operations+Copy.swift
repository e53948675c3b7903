import Foundation
import Hummingbird
import S3

extension Operations {
    private static let copyStep = 4 * 1024 * 1024
    /// What comes through without a look at the bytes takes bigger steps.
    private static let sendStep = 64 * 1024 * 1024

    func copyObject(_ request: S3Request) async throws -> Response {
        // All that a small one takes is one hop to the disk's threads.
        let (copy, small) = try await self.disk.run { store in
            let copy = try self.beginCopy(request, in: store)
            guard copy.source.record.size <= Int64(WriteBatch.target) else { return (copy, StoredObject?.none) }
            try copy.appendAll()
            return (copy, try copy.commit(in: store))
        }
        let stored = if let small { small } else { try await self.finish(copy) }
        var response = Response.xml("CopyObjectResult") { xml in
            xml.element("LastModified", text: Timestamp.iso8601(stored.record.modifiedDate))
            xml.element("ETag", text: ETag.quoted(stored.record.etag))
            xml.checksums(of: stored.record)
        }
        response.headers.set(written: stored)
        response.headers[.eTag] = nil
        response.headers.set("x-amz-copy-source-version-id", copy.source.shownVersion)
        return response
    }

    /// A new object with another's bytes, when all conditions held. Dropped, it leaves nothing.
    private struct BegunCopy: Sendable {
        var source: ObjectFile
        var write: ObjectWrite
        var writer: ObjectWriter
        /// Those of the source, where they are known: then the bytes are not looked at.
        var digests: ObjectWriter.Digests?

        /// In one step, which must be a short one.
        func appendAll() throws {
            if self.digests == nil {
                try self.writer.write([self.source.read(at: 0, length: Int(self.source.record.size))])
            } else {
                try self.writer.append(0..<self.source.record.size, of: self.source)
            }
        }

        func commit(in store: Store) throws -> StoredObject {
            let digests = self.digests ?? self.writer.digests()
            var write = self.write
            write.etag = Operations.etag(md5: digests.md5, write.attributes)
            write.checksums = digests.checksums
            return try store.commit(self.writer, write)
        }
    }

    private func beginCopy(_ request: S3Request, in store: Store) throws -> BegunCopy {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        var condition = try self.writeCondition(request)
        let source = try self.copySource(request, in: store)
        let record = source.record
        let attributes = try self.copiedAttributes(request, of: source, to: bucket, key)
        guard record.size <= Payload.maximumObjectSize else {
            throw S3Error.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
            )
        }
        guard record.size <= self.configuration.largestCopy ?? .max else {
            throw S3Error(.entityTooLarge, status: 400, message: "Your proposed upload exceeds the maximum allowed object size.")
        }
        let checksum = try Self.checksumAlgorithm(request) ?? record.checksumAlgorithm ?? .standard
        condition = try store.begin(condition, bucket, key)
        let known = record.checksumType == .composite ? nil : record.checksums[checksum.headerName]
        let digests = record.plainMD5.flatMap { md5 in
            known.map { ObjectWriter.Digests(md5: md5, checksums: [checksum.headerName: $0]) }
        }
        return BegunCopy(
            source: source,
            write: ObjectWrite(bucket: bucket, key: key, etag: "", attributes: attributes, condition: condition),
            writer: try store.makeWriter(checksums: digests == nil ? [checksum] : []),
            digests: digests
        )
    }

    /// In many hops, so that others have their turn between them.
    private func finish(_ copy: BegunCopy) async throws -> StoredObject {
        try await self.disk.discarding(copy.writer) {
            let range = 0..<copy.source.record.size
            if copy.digests == nil {
                try await self.copy(range, of: copy.source, to: copy.writer)
            } else {
                try await self.append(range, of: copy.source, to: copy.writer)
            }
            return try await self.disk.run { try copy.commit(in: $0) }
        }
    }

    /// Metadata and tags come along unless they are replaced; storage class and encryption are of the request alone
    /// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
    private func copiedAttributes(
        _ request: S3Request,
        of source: ObjectFile,
        to bucket: String,
        _ key: ObjectKey
    ) throws -> ObjectAttributes {
        let replacesMetadata = try Self.replaces(request, "x-amz-metadata-directive")
        let replacesTags = try Self.replaces(request, "x-amz-tagging-directive")
        var attributes = try self.attributes(of: request.headers)
        let (sourceBucket, sourceKey, sourceVersion) = try self.copySource(request)
        let changes =
            replacesMetadata || attributes.storageClass != nil || request.header("x-amz-storage-class") != nil
            || attributes.encryption != nil || attributes.websiteRedirectLocation != nil || sourceVersion != nil
        guard changes || sourceBucket != bucket || sourceKey != key else {
            throw S3Error.invalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
                    + "metadata, storage class, website redirect location or encryption attributes."
            )
        }
        if !replacesMetadata {
            let (storageClass, encryption) = (attributes.storageClass, attributes.encryption)
            let redirect = attributes.websiteRedirectLocation
            attributes = source.record.attributes
            (attributes.storageClass, attributes.encryption) = (storageClass, encryption)
            attributes.websiteRedirectLocation = redirect
        }
        attributes.tags = replacesTags ? try Self.tags(request) : source.record.attributes.tags
        return attributes
    }

    private static func replaces(_ request: S3Request, _ name: String) throws(S3Error) -> Bool {
        switch request.header(name)?.uppercased() {
        case nil, "COPY": return false
        case "REPLACE": return true
        default: throw .invalidArgument("Unknown \(name == "x-amz-tagging-directive" ? "tagging" : "metadata") directive.")
        }
    }

    static func checksumAlgorithm(_ request: S3Request) throws(S3Error) -> Checksum.Algorithm? {
        guard let name = request.header("x-amz-checksum-algorithm") else {
            return nil
        }
        guard let algorithm = Checksum.Algorithm(name: name) else {
            guard !name.uppercased().hasPrefix("XXHASH") else {
                throw .notImplemented("checksums of the kind \(name)")
            }
            throw .invalidRequest(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + Checksum.Algorithm.allCases.map(\.name).joined(separator: ", ")
            )
        }
        return algorithm
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

    /// The same without digests.
    func append(_ range: Range<Int64>, of source: ObjectFile, to writer: ObjectWriter) async throws {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let end = min(offset + Int64(Self.sendStep), range.upperBound)
            try await self.disk.run { [offset] _ in try writer.append(offset..<end, of: source) }
            offset = end
        }
    }

    /// The object that `x-amz-copy-source` names, open, if the request's conditions on it hold.
    func copySource(_ request: S3Request, in store: Store) throws -> ObjectFile {
        let (bucket, key, version) = try self.copySource(request)
        let source: ObjectFile
        do {
            source = try store.object(bucket, key, version: version)
        } catch let refusal as Refusal where refusal.error.code == .methodNotAllowed {
            throw S3Error.invalidRequest(
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
        }
        try Self.checkConditions(
            request,
            source.record,
            prefix: "x-amz-copy-source-",
            unmodified: S3Error.preconditionFailed()
        )
        try Self.requireReadable(source.record)
        return source
    }

    private func copySource(_ request: S3Request) throws(S3Error) -> (bucket: String, key: ObjectKey, version: ObjectVersion?) {
        let header = request.header("x-amz-copy-source") ?? ""
        let invalid = S3Error.invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        let halves = header.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var version: ObjectVersion?
        if halves.count == 2 {
            guard halves[1].hasPrefix("versionId=") else {
                throw invalid
            }
            version = try ObjectVersion(String(halves[1].dropFirst("versionId=".count)))
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
        return (bucket, try ObjectKey(Array(path[(slash + 1)...])), version)
    }
}

extension ObjectRecord {
    var checksumAlgorithm: Checksum.Algorithm? { Checksum.Algorithm.allCases.first { self.checksums[$0.headerName] != nil } }

    /// The ETag, where it is the MD5 of the bytes.
    var plainMD5: String? {
        self.attributes.encryption?.hidesMD5 == true || self.etag.contains("-") ? nil : self.etag
    }
}

extension XMLWriter {
    mutating func checksums(_ checksums: [String: String]) {
        for algorithm in Checksum.Algorithm.allCases {
            if let value = checksums[algorithm.headerName] {
                self.element(algorithm.elementName, text: value)
            }
        }
    }

    mutating func checksums(of record: ObjectRecord) {
        guard !record.checksums.isEmpty else {
            return
        }
        self.checksums(record.checksums)
        self.element("ChecksumType", text: (record.checksumType ?? .fullObject).rawValue)
    }
}
