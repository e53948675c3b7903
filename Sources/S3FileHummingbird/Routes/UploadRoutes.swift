import Crypto
import HTTPTypes
public import Hummingbird
import NIOCore
import NIOFoundationCompat
public import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The script, the stylesheet, and the status of uploads.
///
/// ```swift
/// UploadRoutes(uploads: uploads).add(to: router)                              // at /s3file
/// router.addRoutes(UploadRoutes(uploads: uploads).endpoints, atPath: "/files")   // or anywhere
/// ```
/// - `GET /s3file/s3file.js`, `GET /s3file/s3file.css`
/// - `GET /s3file/uploads/{id}` with the upload's status token, as `?token=` or `Authorization: Bearer`: JSON with an ETag
public struct UploadRoutes<Context: RequestContext>: Sendable {
    private let uploads: Uploads

    public init(uploads: Uploads, context: Context.Type = Context.self) {
        self.uploads = uploads
    }

    /// Adds the routes at ``UploadPaths``' place.
    public func add(to router: some RouterMethods<Context>, at paths: UploadPaths = .standard) {
        router.addRoutes(self.endpoints, atPath: RouterPath(paths.root))
    }

    /// The routes, relative to where they are mounted.
    public var endpoints: RouteCollection<Context> {
        let uploads = self.uploads
        return RouteCollection(context: Context.self)
            .get("s3file.js") { request, _ in BrowserAsset.script.response(to: request) }
            .get("s3file.css") { request, _ in BrowserAsset.stylesheet.response(to: request) }
            .get("uploads/:id") { request, context in
                do {
                    return try await Self.status(request, id: context.parameters.get("id"), uploads: uploads)
                } catch let problem as Problem {
                    return problem.details()
                }
            }
    }

    private static func status(_ request: Request, id: String?, uploads: Uploads) async throws -> Response {
        guard let token = Self.token(of: request) else {
            throw Problem(
                status: .unauthorized,
                code: "token_required",
                detail: "The status of an upload needs its token, as ?token= or as Authorization: Bearer.",
                headers: [.wwwAuthenticate: "Bearer"]
            )
        }
        // One answer for an unknown upload and for a wrong token: nobody learns which uploads there are.
        let unknown = Problem(status: .notFound, code: "unknown_upload", detail: "There is no upload with this id and token.")
        guard let id = id.flatMap({ UUID(uuidString: $0) }), uploads.isValid(statusToken: token, for: id) else {
            throw unknown
        }
        let upload: Upload?
        do {
            upload = try await uploads.upload(id)
        } catch {
            throw Problem(
                status: .serviceUnavailable,
                code: "database_unavailable",
                detail: "The status cannot be read just now. Ask again in a moment.",
                headers: [.retryAfter: "5"]
            )
        }
        guard let upload else {
            throw unknown
        }
        let tag = try Self.entityTag(of: upload, now: Date())
        var headers: HTTPFields = [
            .eTag: tag,
            .cacheControl: "no-cache, private",
            .xContentTypeOptions: "nosniff",
        ]
        if EntityTag.matches(tag, request.headers[values: .ifNoneMatch]) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = "application/json"
        let json = try upload.json(url: try await uploads.url(of: upload))
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(data: json)))
    }

    private static func token(of request: Request) -> String? {
        if let authorization = request.headers[.authorization] {
            let parts = authorization.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" {
                return String(parts[1])
            }
        }
        return request.uri.queryParameters["token"].map(String.init)
    }

    /// Of the record, not of the presigned URL, which differs every second. It changes every 20 minutes, so that a cached answer's
    /// URL has at least 40 of its 60 minutes left.
    private static func entityTag(of upload: Upload, now: Date) throws -> String {
        let period = upload.status == .stored ? Int(now.timeIntervalSince1970) / 1_200 : 0
        let digest = SHA256.hash(data: try upload.json() + Data("\(period)".utf8)).prefix(16)
        return "\"" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
    }
}
