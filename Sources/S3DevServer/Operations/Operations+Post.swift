import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import S3
import S3File

extension Operations {
    /// The fields of a form without its file take at most 20 KB.
    private static let maximumFields = 20_000

    /// A browser's upload: a form whose policy is its permission
    /// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).
    func postObject(_ request: S3Request, bucket: String) async throws -> Response {
        do {
            return try await self.post(request, bucket: bucket)
        } catch let error as MultipartError where error.code == .tooLarge {
            throw S3Error(S3Error.Code("MaxPostPreDataLengthExceeded"), status: 400, message: error.message)
        } catch let error as MultipartError where error.code == .truncated {
            throw S3Error.incompleteBody
        } catch let error as MultipartError {
            throw S3Error(
                S3Error.Code("MalformedPOSTRequest"),
                status: 400,
                message: "The body of your POST request is not well-formed multipart/form-data. \(error.message)"
            )
        }
    }

    private func post(_ request: S3Request, bucket: String) async throws -> Response {
        guard let contentType = request.header("content-type"), contentType.lowercased().hasPrefix("multipart/form-data") else {
            throw S3Error(
                S3Error.Code("PreconditionFailed"),
                status: 412,
                message: "Bucket POST must be of the enclosure-type multipart/form-data"
            )
        }
        var reader = MultipartReader(
            body: request.body,
            boundary: try MultipartBoundary(contentType: contentType),
            limits: MultipartLimits(fieldBytes: Self.maximumFields, fileFields: ["file", "File", "FILE"])
        )
        var form = PostForm()
        while let part = try await reader.nextPart() {
            if part.name.lowercased() == "file" {
                form.setFilename(part.filename ?? "")
                return try await self.store(&reader, form, request, bucket: bucket)
            }
            let value = try await reader.collectText(upTo: Self.maximumFields)
            try form.append(part.name, value, maximum: Self.maximumFields)
        }
        throw S3Error.invalidArgument("POST requires exactly one file upload per request.")
    }

    /// The reader stands at the bytes of the file. Fields behind it are ignored, as S3 ignores them.
    private func store(
        _ reader: inout MultipartReader<RequestBody>,
        _ form: PostForm,
        _ request: S3Request,
        bucket: String
    ) async throws -> Response {
        guard let keyText = form["key"] else {
            throw S3Error.invalidArgument(
                "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
            )
        }
        guard let policyText = form["policy"] else {
            throw S3Error(.accessDenied, status: 403, message: "Access Denied")
        }
        _ = try SigV4.verifyPost(fields: form.fields, region: self.configuration.region, credentials: self.credentials)
        let policy = try PostPolicyDocument(base64: policyText)
        try policy.check(form.fields(bucket: bucket), now: self.configuration.now())
        let key = try ObjectKey(keyText)
        let attributes = try self.attributes(form)
        let asked = try form.writeCondition()
        let checksum = try form.checksum()
        let condition = try await self.begin(asked, bucket, key, length: request.requireContentLength())

        var batch = WriteBatch(
            disk: self.disk,
            maximum: policy.contentLength.upperBound,
            checksums: [checksum?.algorithm ?? .standard]
        )
        let stored: StoredObject
        do {
            while let bytes = try await reader.nextBytes() {
                try await batch.append(bytes)
            }
            // The rest must be there too: without the closing delimiter, how does one know that the file is whole?
            while try await reader.nextPart() != nil {}
            guard batch.size >= policy.contentLength.lowerBound else {
                throw S3Error(
                    .entityTooSmall,
                    status: 400,
                    message: "Your proposed upload is smaller than the minimum allowed size"
                )
            }
            stored = try await batch.finish { store, writer, digests in
                try Self.check(form, checksum, digests)
                return try store.commit(
                    writer,
                    ObjectWrite(
                        bucket: bucket,
                        key: key,
                        etag: Self.etag(md5: digests.md5, attributes),
                        attributes: attributes,
                        checksums: digests.checksums,
                        condition: condition
                    )
                )
            }
        } catch {
            await batch.discard()
            throw error
        }
        var response = self.posted(form, request, bucket: bucket, key: key, etag: ETag.quoted(stored.record.etag))
        response.headers.set(written: stored)
        response.headers.setChecksums(of: stored.record)
        return response
    }

    private static func check(
        _ form: PostForm,
        _ checksum: (algorithm: Checksum.Algorithm, value: String)?,
        _ digests: ObjectWriter.Digests
    ) throws(S3Error) {
        if let (algorithm, value) = checksum, digests.checksums[algorithm.headerName] != value {
            throw .badDigest(algorithm.name)
        }
        if let md5 = form["content-md5"], Data(base64Encoded: md5).map(SigV4.hexadecimal) != digests.md5 {
            throw .badDigest("Content-MD5")
        }
    }

    private func attributes(_ form: PostForm) throws(S3Error) -> ObjectAttributes {
        var attributes = try self.attributes(of: form.fields)
        if let document = form["tagging"], !document.isEmpty {
            attributes.tags = try ObjectTags.parse(try Self.document(Array(document.utf8), root: "Tagging"))
        }
        return attributes
    }

    private func posted(_ form: PostForm, _ request: S3Request, bucket: String, key: ObjectKey, etag: String) -> Response {
        let location = self.location(request, bucket: bucket, key: key)
        var response: Response
        if let redirect = form["success_action_redirect"] ?? form["redirect"], redirect.hasPrefix("http") {
            let query = URIEncoding.query([("bucket", bucket), ("key", key.text), ("etag", etag)])
            response = Response(status: .seeOther)
            response.headers.set("location", redirect + (redirect.contains("?") ? "&" : "?") + query)
            return response
        }
        switch form["success_action_status"] {
        case "201":
            response = Response.xml("PostResponse", status: .created, namespaced: false) { xml in
                xml.element("Location", text: location)
                xml.element("Bucket", text: bucket)
                xml.element("Key", text: key.text)
                xml.element("ETag", text: etag)
            }
        case "200":
            response = Response(status: .ok)
        default:
            response = Response(status: .noContent)
        }
        response.headers.set("location", location)
        return response
    }

    /// Where an object is, with its key as one encoded word, as S3 writes it.
    func location(_ request: S3Request, bucket: String, key: ObjectKey) -> String {
        let base = request.isVirtualHost ? "http://\(request.host)" : "http://\(request.host)/\(bucket)"
        return "\(base)/\(URIEncoding.encode(key.bytes))"
    }
}
