import Foundation
import Hummingbird
import NIOCore
import S3

extension Operations {
    /// The length of XML that clients may send.
    static let maximumDocument = 2 * 1024 * 1024

    func listBuckets() async throws -> Response {
        let buckets = try await self.disk.run { $0.buckets() }
        return Response.xml("ListAllMyBucketsResult") { xml in
            xml.element("Owner") { $0.element("ID", text: self.configuration.accessKeyID) }
            xml.element("Buckets") { xml in
                for bucket in buckets {
                    xml.element("Bucket") { xml in
                        xml.element("Name", text: bucket.name)
                        xml.element("CreationDate", text: Timestamp.iso8601(bucket.created))
                    }
                }
            }
        }
    }

    func createBucket(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let body =
            request.header("content-length") == nil
            ? []
            : try await self.payload(request, verified).collect(upTo: Self.maximumDocument)
        if !body.isEmpty, let location = try Self.document(body, root: "CreateBucketConfiguration")["LocationConstraint"]?.text,
            location != self.configuration.region
        {
            throw S3Error(
                S3Error.Code("IllegalLocationConstraintException"),
                status: 400,
                message:
                    "The \(location) location constraint is incompatible for the region specific endpoint this request was sent to."
            )
        }
        let isNew = try await self.disk.run { try $0.createBucket(bucket) }
        // AWS answers 200 in its oldest region and this in every other.
        guard isNew || self.configuration.region == "us-east-1" else {
            throw S3Error(
                .bucketAlreadyOwnedByYou,
                status: 409,
                message: "Your previous request to create the named bucket succeeded and you already own it."
            )
        }
        var response = Response(status: .ok)
        response.headers.set("location", "/\(bucket)")
        return response
    }

    func headBucket(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        try await self.disk.run { try $0.requireBucket(bucket) }
        var response = Response(status: .ok)
        response.headers.set("x-amz-bucket-region", self.configuration.region)
        return response
    }

    func deleteBucket(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        try await self.disk.run { try $0.deleteBucket(bucket) }
        return Response(status: .noContent)
    }

    func bucketLocation(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        try await self.disk.run { try $0.requireBucket(bucket) }
        let region = self.configuration.region
        return Response.xml("LocationConstraint", text: region == "us-east-1" ? "" : region)
    }

    /// A document that is kept and given back. CORS rules are kept to, in place of the server's own; nothing expires.
    func document(_ name: String, _ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        switch request.method {
        case "GET":
            guard let bytes = try await self.disk.run({ try $0.document(name, of: bucket) }) else {
                let code = name == "cors" ? "NoSuchCORSConfiguration" : "NoSuchLifecycleConfiguration"
                throw S3Error(
                    S3Error.Code(code),
                    status: 404,
                    message: "The \(name == "cors" ? "CORS" : "lifecycle") configuration does not exist"
                )
            }
            return Response(
                status: .ok,
                headers: [.contentType: "application/xml"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            )
        case "PUT":
            let bytes = try await self.payload(request, verified).collect(upTo: Self.maximumDocument)
            if name == "cors" {
                let rules = try CORS.Rule.parse(bytes)
                try await self.disk.run { try $0.setCORS(rules, of: bucket, document: bytes) }
            } else {
                try Self.checkLifecycle(try Self.document(bytes, root: "LifecycleConfiguration"))
                try await self.disk.run { try $0.setDocument(name, of: bucket, to: bytes) }
            }
            return Response(status: .ok)
        case "DELETE" where name == "cors":
            try await self.disk.run { try $0.setCORS(nil, of: bucket, document: nil) }
            return Response(status: .noContent)
        case "DELETE":
            try await self.disk.run { try $0.setDocument(name, of: bucket, to: nil) }
            return Response(status: .noContent)
        default:
            throw S3Error.methodNotAllowed
        }
    }

    /// The mistakes that S3 refuses and that are easily made.
    private static func checkLifecycle(_ document: XMLElement) throws(S3Error) {
        let rules = document.all("Rule")
        guard (1...1000).contains(rules.count) else {
            throw .malformedXML
        }
        for rule in rules {
            guard let status = rule["Status"]?.text, ["Enabled", "Disabled"].contains(status),
                rule["Filter"] != nil || rule["Prefix"] != nil
            else {
                throw .malformedXML
            }
            for days in [rule["Expiration"]?["Days"], rule["AbortIncompleteMultipartUpload"]?["DaysAfterInitiation"]] {
                guard days.map({ Int($0.text).map { $0 > 0 } ?? false }) ?? true else {
                    throw .invalidArgument("'Days' for Expiration action must be a positive integer")
                }
            }
        }
    }

    static func document(_ bytes: [UInt8], root: String) throws(S3Error) -> XMLElement {
        do {
            let element = try XMLReader.read(bytes, limits: XMLReader.Limits(bytes: self.maximumDocument))
            guard element.name == root else {
                throw S3Error.malformedXML
            }
            return element
        } catch {
            throw S3Error.malformedXML
        }
    }
}
