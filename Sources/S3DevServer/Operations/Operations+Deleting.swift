import Foundation
import Hummingbird
import S3

extension Operations {
    func deleteObject(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        for name in ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"] where request.header(name) != nil {
            throw S3Error.notImplemented("\(name), which S3 has for directory buckets only")
        }
        let deletion = DeletionRequest(
            key: try request.requireKey(),
            version: try request.version(),
            condition: WriteCondition(match: request.header("if-match"))
        )
        let result = try await self.disk.run { try $0.delete(bucket, deletion) }
        var response = Response(status: .noContent)
        response.headers.set("x-amz-version-id", result.version)
        response.headers.set("x-amz-delete-marker", result.isMarker ? "true" : nil)
        return response
    }

    private struct Named: Sendable {
        var key: String
        var version: String?
        var request: Result<DeletionRequest, S3Error>
    }

    func deleteObjects(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let payload = try self.payload(request, verified)
        guard payload.isProtected else {
            throw S3Error.invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
        }
        let document = try Self.document(try await payload.collect(upTo: Self.maximumDocument), root: "Delete")
        let objects = document.all("Object")
        guard (1...1000).contains(objects.count) else {
            throw S3Error.malformedXML
        }
        let named = try objects.map { try Self.deletion($0) }
        let requests = named.compactMap { try? $0.request.get() }
        try await self.disk.run { try $0.requireBucket(bucket) }
        let removed = try await self.disk.run { try $0.remove(bucket, requests) }
        try await self.disk.synchronize(removed.folders)
        var results = removed.results[...]
        let isQuiet = document["Quiet"]?.text.lowercased() == "true"
        return Response.xml("DeleteResult") { xml in
            for object in named {
                let result: Result<Deletion, any Error> =
                    switch object.request {
                    case .success: results.popFirst() ?? .failure(S3Error.malformedXML)
                    case .failure(let error): .failure(error)
                    }
                switch result {
                case .success(let deletion):
                    if !isQuiet {
                        xml.element("Deleted") { Self.write(deletion, of: object, to: &$0) }
                    }
                case .failure(let error):
                    xml.element("Error") { Self.write(error, of: object, to: &$0) }
                }
            }
        }
    }

    /// What is wrong with one object is that object's answer; what is not S3's XML is everybody's.
    private static func deletion(_ element: XMLElement) throws -> Named {
        guard let key = element["Key"]?.text else {
            throw S3Error.malformedXML
        }
        for name in ["LastModifiedTime", "Size"] where element[name] != nil {
            throw S3Error.notImplemented("\(name), which S3 has for directory buckets only")
        }
        let version = element["VersionId"]?.text
        let etag = element["ETag"]?.text
        let request = Result { () throws(S3Error) -> DeletionRequest in
            DeletionRequest(
                key: try ObjectKey(key),
                version: try version.map { text throws(S3Error) in try ObjectVersion(text) },
                condition: WriteCondition(match: etag)
            )
        }
        return Named(key: key, version: version, request: request)
    }

    private static func write(_ deletion: Deletion, of object: Named, to xml: inout XMLWriter) {
        xml.element("Key", text: object.key)
        if let version = object.version {
            xml.element("VersionId", text: version)
        }
        if deletion.isMarker {
            xml.element("DeleteMarker", text: "true")
            if let version = deletion.version {
                xml.element("DeleteMarkerVersionId", text: version)
            }
        }
    }

    private static func write(_ error: any Error, of object: Named, to xml: inout XMLWriter) {
        let known = error as? S3Error ?? (error as? Refusal)?.error
        xml.element("Key", text: object.key)
        if let version = object.version {
            xml.element("VersionId", text: version)
        }
        xml.element("Code", text: known?.code.rawValue ?? S3Error.Code.internalError.rawValue)
        xml.element("Message", text: known?.message ?? "We encountered an internal error. Please try again.")
    }
}
