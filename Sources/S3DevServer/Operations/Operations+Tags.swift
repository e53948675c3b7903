import Hummingbird
import S3

extension Operations {
    func objectTags(_ request: S3Request, _ verified: SigV4.Verified) async throws -> Response {
        let bucket = try request.requireBucket()
        let key = try request.requireKey()
        let version = try request.version()
        var response: Response
        let shown: String?
        switch request.method {
        case "GET":
            let file = try await self.disk.run { try $0.object(bucket, key, version: version) }
            shown = file.shownVersion
            response = Response.xml("Tagging") { xml in
                xml.element("TagSet") { xml in
                    for tag in file.record.attributes.tags ?? [] {
                        xml.element("Tag") { xml in
                            xml.element("Key", text: tag.key)
                            xml.element("Value", text: tag.value)
                        }
                    }
                }
            }
        case "PUT":
            let body = try await self.payload(request, verified).collect(upTo: Self.maximumDocument)
            let tags = try ObjectTags.parse(try Self.document(body, root: "Tagging"))
            shown = try await self.disk.run { try $0.setTags(tags, of: bucket, key, version: version) }
            response = Response(status: .ok)
        case "DELETE":
            shown = try await self.disk.run { try $0.setTags([], of: bucket, key, version: version) }
            response = Response(status: .noContent)
        default:
            throw S3Error.methodNotAllowed
        }
        response.headers.set("x-amz-version-id", shown)
        return response
    }
}
