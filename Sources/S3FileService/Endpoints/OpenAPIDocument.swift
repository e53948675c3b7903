import HTTPTypes
import NIOCore
import S3File
import S3FileHTTP

/// `openapi.json`, as it is embedded in the binary.
enum OpenAPIDocument {
    static let answer = HTTPAnswer(
        status: .ok,
        headers: [.contentType: "application/json", .cacheControl: "no-cache", .xContentTypeOptions: "nosniff"],
        body: .bytes(ByteBuffer(bytes: PackageResources.openapi_json))
    )
}
