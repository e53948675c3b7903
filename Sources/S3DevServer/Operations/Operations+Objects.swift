import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import S3

extension Operations {
    func putObject(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let condition = try self.writeCondition(request)
        let attributes = try self.attributes(request)
        let payload = try Payload(request, verified, secretAccessKey: self.configuration.secretAccessKey)
        try await self.disk.run { try $0.check(condition, bucket, key) }
        let (writer, etag, checksums) = try await payload.receive(self.disk)
        let record = try await self.disk.discarding(writer) {
            try await self.disk.run { store in
                try store.commit(
                    writer,
                    bucket: bucket,
                    key: key,
                    etag: etag,
                    attributes: attributes,
                    checksums: checksums,
                    condition: condition
                )
            }
        }
        var response = Response(status: .ok)
        response.headers[.eTag] = ETag.quoted(record.etag)
        for (name, value) in record.checksums {
            response.headers.set(name, value)
        }
        return response
    }

    func deleteObject(_ request: S3Request) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        var condition = WriteCondition()
        condition.match = request.header("if-match")
        try await self.disk.run { [condition] in try $0.delete(bucket, key, condition: condition) }
        return Response(status: .noContent)
    }

    func deleteObjects(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let body = try await Payload(request, verified, secretAccessKey: self.configuration.secretAccessKey)
            .collect(upTo: Self.maximumDocument)
        let document = try Self.document(body, root: "Delete")
        let objects = document.all("Object")
        guard (1...1000).contains(objects.count) else {
            throw S3Error(
                .malformedXML,
                status: 400,
                message: "A request to delete objects names 1 to 1000 of them."
            )
        }
        let isQuiet = document["Quiet"]?.text == "true"
        try await self.disk.run { try $0.requireBucket(bucket) }
        var results: [(key: String, error: S3Error?)] = []
        for object in objects {
            let key = object["Key"]?.text ?? ""
            let version = object["VersionId"]?.text
            let etag = object["ETag"]?.text
            do {
                guard version == nil || version == "null" else {
                    throw S3Error(.noSuchVersion, status: 404, message: "The specified version does not exist.")
                }
                let objectKey = try ObjectKey(key)
                try await self.disk.run { try $0.delete(bucket, objectKey, condition: WriteCondition(match: etag)) }
                results.append((key, nil))
            } catch let error as S3Error {
                results.append((key, error))
            }
        }
        return Response.xml("DeleteResult") { xml in
            for (key, error) in results {
                if let error {
                    xml.element("Error") { xml in
                        xml.element("Key", text: key)
                        xml.element("Code", text: error.code.rawValue)
                        xml.element("Message", text: error.message)
                    }
                } else if !isQuiet {
                    xml.element("Deleted") { $0.element("Key", text: key) }
                }
            }
        }
    }

    // MARK: Headers of a write

    func writeCondition(_ request: S3Request) throws(S3Error) -> WriteCondition {
        var condition = WriteCondition()
        if let value = request.header("if-none-match") {
            guard value == "*" else {
                throw .notImplemented("If-None-Match with an ETag on a write; only * works")
            }
            condition.requiresNone = true
        }
        condition.match = request.header("if-match")
        return condition
    }

    func attributes(_ request: S3Request) throws(S3Error) -> ObjectAttributes {
        if let tags = request.header("x-amz-tagging"), !tags.isEmpty {
            throw .notImplemented("tags")
        }
        return try Self.attributes(of: request.headers)
    }

    /// What is stored with an object, from headers or form fields with lower-case names.
    static func attributes(of fields: [(name: String, value: String)]) throws(S3Error) -> ObjectAttributes {
        func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        var attributes = ObjectAttributes()
        attributes.contentType = value("content-type")
        attributes.contentDisposition = value("content-disposition")
        attributes.contentLanguage = value("content-language")
        attributes.cacheControl = value("cache-control")
        attributes.expires = value("expires")
        // aws-chunked says how the request travels, not what the object is.
        let encodings = value("content-encoding")?.split(separator: ",").map { $0.filter { $0 != " " } }.filter {
            $0 != "aws-chunked"
        }
        attributes.contentEncoding = encodings.flatMap { $0.isEmpty ? nil : $0.joined(separator: ",") }
        var size = 0
        for field in fields where field.name.hasPrefix("x-amz-meta-") {
            let name = String(field.name.dropFirst("x-amz-meta-".count))
            size += name.utf8.count + field.value.utf8.count
            attributes.metadata[name] = attributes.metadata[name].map { "\($0),\(field.value)" } ?? field.value
        }
        guard size <= 2048 else {
            throw S3Error(
                S3Error.Code("MetadataTooLarge"),
                status: 400,
                message: "Your metadata headers exceed the maximum allowed metadata size"
            )
        }
        return attributes
    }
}
