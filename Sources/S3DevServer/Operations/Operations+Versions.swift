import Foundation
import Hummingbird
import S3

extension Operations {
    func bucketVersioning(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let versioning = try await self.disk.run { try $0.versioning(of: bucket) }
        return Response.xml("VersioningConfiguration") { xml in
            if versioning != .unversioned {
                xml.element("Status", text: versioning.rawValue)
            }
        }
    }

    func setVersioning(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let body = try await self.payload(request, verified).collect(upTo: Self.maximumDocument)
        let document = try Self.document(body, root: "VersioningConfiguration")
        guard let status = document["Status"]?.text, let versioning = BucketIndex.Versioning(rawValue: status),
            versioning != .unversioned
        else {
            throw S3Error(
                S3Error.Code("IllegalVersioningConfigurationException"),
                status: 400,
                message: "The Versioning element must be specified"
            )
        }
        guard document["MfaDelete"]?.text != "Enabled" else {
            throw S3Error.notImplemented("MFA delete")
        }
        try await self.disk.run { try $0.setVersioning(versioning, of: bucket) }
        return Response(status: .ok)
    }

    func listVersions(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let prefix = request.parameter("prefix") ?? ""
        let delimiter = request.parameter("delimiter") ?? ""
        let keyMarker = request.parameter("key-marker") ?? ""
        let versionMarker = request.parameter("version-id-marker") ?? ""
        guard versionMarker.isEmpty || !keyMarker.isEmpty else {
            throw S3Error.invalidArgument("A version-id marker cannot be specified without a key marker.")
        }
        let maximum = try self.maximum(request, "max-keys")
        let encodes = try self.encodesKeys(request)
        let list = VersionListing.Request(
            prefix: Array(prefix.utf8),
            delimiter: Array(delimiter.utf8),
            maximum: maximum,
            keyMarker: Array(keyMarker.utf8),
            versionMarker: versionMarker.isEmpty ? nil : try ObjectVersion(versionMarker)
        )
        let listing = try await self.disk.run { try $0.listVersions(bucket, list) }
        func encoded(_ bytes: some Collection<UInt8>) -> String {
            encodes ? URIEncoding.encode(bytes, keepSlash: true) : String(decoding: bytes, as: UTF8.self)
        }
        return Response.xml("ListVersionsResult") { xml in
            xml.element("Name", text: bucket)
            xml.element("Prefix", text: encoded(prefix.utf8))
            xml.element("KeyMarker", text: encoded(keyMarker.utf8))
            xml.element("VersionIdMarker", text: versionMarker)
            if let next = listing.next {
                xml.element("NextKeyMarker", text: encoded(next.key))
                if let version = next.version {
                    xml.element("NextVersionIdMarker", text: version.text)
                }
            }
            xml.element("MaxKeys", text: String(maximum))
            if !delimiter.isEmpty {
                xml.element("Delimiter", text: encoded(delimiter.utf8))
            }
            if encodes {
                xml.element("EncodingType", text: "url")
            }
            xml.element("IsTruncated", text: listing.next == nil ? "false" : "true")
            for item in listing.items {
                xml.element(item.entry.isDeleteMarker ? "DeleteMarker" : "Version") { xml in
                    xml.element("Key", text: encoded(item.key.bytes))
                    xml.element("VersionId", text: ObjectVersion(id: item.entry.version).text)
                    xml.element("IsLatest", text: item.isLatest ? "true" : "false")
                    xml.element("LastModified", text: Timestamp.iso8601(item.entry.modifiedDate))
                    if !item.entry.isDeleteMarker {
                        self.describe(item.entry, to: &xml)
                    }
                    self.owner(to: &xml)
                }
            }
            for prefix in listing.prefixes {
                xml.element("CommonPrefixes") { $0.element("Prefix", text: encoded(prefix)) }
            }
        }
    }

    /// What every listing tells of an object besides its key and its date.
    func describe(_ entry: BucketIndex.Entry, to xml: inout XMLWriter) {
        xml.element("ETag", text: ETag.quoted(entry.etag))
        if let checksum = entry.checksum {
            xml.element("ChecksumAlgorithm", text: checksum.name)
            xml.element("ChecksumType", text: (entry.checksumType ?? .fullObject).rawValue)
        }
        xml.element("Size", text: String(entry.size))
        xml.element("StorageClass", text: entry.storageClass ?? "STANDARD")
    }

    func owner(_ name: String = "Owner", to xml: inout XMLWriter) {
        xml.element(name) { $0.element("ID", text: self.configuration.accessKeyID) }
    }
}
