import Crypto
import HTTPTypes
import NIOCore
import NIOFoundationCompat
import S3File

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension UploadEndpoints {
    func status(_ request: EndpointRequest) async throws -> HTTPAnswer {
        guard let token = request.token else {
            throw Problem(
                status: .unauthorized,
                code: "token_required",
                detail: "The status of an upload needs its token, as ?token= or as Authorization: Bearer.",
                headers: [.wwwAuthenticate: "Bearer"]
            )
        }
        // One answer for an unknown upload and for a wrong token: nobody learns which uploads there are.
        let unknown = Problem(status: .notFound, code: "unknown_upload", detail: "There is no upload with this id and token.")
        guard let id = request.parameters["id"].flatMap({ UUID(uuidString: $0) }),
            self.uploads.isValid(statusToken: token, for: id)
        else {
            throw unknown
        }
        let upload: Upload?
        do {
            upload = try await self.uploads.upload(id)
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
            return HTTPAnswer(status: .notModified, headers: headers)
        }
        headers[.contentType] = "application/json"
        let json = try upload.json(url: try await self.uploads.url(of: upload))
        return HTTPAnswer(status: .ok, headers: headers, body: .bytes(ByteBuffer(data: json)))
    }

    /// Of the record, not of the presigned URL, which differs every second. It changes every 20 minutes, so that a cached answer's
    /// URL has at least 40 of its 60 minutes left.
    private static func entityTag(of upload: Upload, now: Date) throws -> String {
        let period = upload.status == .stored ? Int(now.timeIntervalSince1970) / 1_200 : 0
        let digest = SHA256.hash(data: try upload.json() + Data("\(period)".utf8)).prefix(16)
        return "\"" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
    }
}
