import HTTPTypes
import Hummingbird

/// What browsers need to hear before a page of another origin may use the server.
struct CORS: Sendable {
    static let methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    static let exposedHeaders =
        "ETag, Location, Content-Length, Content-Range, Accept-Ranges, Last-Modified, x-amz-request-id, x-amz-version-id"

    let allowedOrigins: [String]

    func allows(_ origin: String) -> Bool {
        self.allowedOrigins.contains { $0 == "*" || $0 == origin }
    }

    /// Answers an OPTIONS request as S3 does a preflight.
    func preflight(_ request: S3Request) -> (status: HTTPResponse.Status, headers: HTTPFields)? {
        guard let origin = request.header("origin"), self.allows(origin),
            let method = request.header("access-control-request-method"), Self.methods.contains(method)
        else {
            return nil
        }
        var headers = HTTPFields()
        headers.set("access-control-allow-methods", Self.methods.joined(separator: ", "))
        headers.set("access-control-allow-headers", request.header("access-control-request-headers"))
        headers.set("access-control-max-age", "3000")
        return (.ok, headers)
    }

    /// Headers for the answer to any request of a page, errors included, so that scripts can read why.
    func decorate(_ headers: inout HTTPFields, for origin: String?) {
        guard let origin, self.allows(origin) else {
            return
        }
        headers.set("access-control-allow-origin", origin)
        headers.set("access-control-expose-headers", Self.exposedHeaders)
        headers.set("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
    }
}
