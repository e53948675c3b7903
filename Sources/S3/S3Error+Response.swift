import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension S3Error {
    /// The error in an answer.
    ///
    /// - Parameters:
    ///   - document: the body, if it could be read and is XML. Answers to HEAD have none, and proxies send their own pages.
    ///   - subject: what was tried, for the message: `HeadObject in bucket 'x'`.
    init(status: Int, headers: HTTPHeaders, document: XMLElement?, subject: Subject) {
        let error = document.flatMap { $0.name == "Error" ? $0 : $0["Error"] }
        let sent = error?["Code"]?.text
        let code = sent.flatMap { $0.isEmpty ? nil : Code($0) } ?? Self.code(status: status, subject: subject)
        var message = "\(subject)"
        if let text = error?["Message"]?.text, !text.isEmpty { message += ": \(Self.bounded(text))" }
        let remedy = Self.remedy(code)
        if let remedy { message += message.hasSuffix(".") ? " \(remedy)" : ". \(remedy)" }
        self.init(
            code,
            status: status,
            message: message,
            requestID: (headers.first(name: "x-amz-request-id") ?? error?["RequestId"]?.text).map(Self.bounded),
            hostID: (headers.first(name: "x-amz-id-2") ?? error?["HostId"]?.text).map(Self.bounded),
            region: Self.isAboutRegion(code, status)
                ? (headers.first(name: "x-amz-bucket-region") ?? error?["Region"]?.text).map(Self.bounded) : nil,
            retryAfter: Self.retryAfter(headers)
        )
        if self.message.hasSuffix(".") == false, self.region != nil || Self.isRedirect(code) { self.message += "." }
        if let region = self.region {
            self.message += " The bucket is in the region \(region): set AWS_REGION to it."
        } else if Self.isRedirect(code) {
            self.message += " Check AWS_REGION and the endpoint: the bucket answers elsewhere."
        }
    }

    private static func isRedirect(_ code: Code) -> Bool {
        code == .permanentRedirect || code == .temporaryRedirect || code == .authorizationHeaderMalformed
    }

    /// Answers to HEAD carry no code, only a status and the region.
    private static func isAboutRegion(_ code: Code, _ status: Int) -> Bool {
        switch code {
        case .permanentRedirect, .temporaryRedirect, .authorizationHeaderMalformed, Code("BadRequest"),
            Code("IllegalLocationConstraintException"):
            true
        default: (300..<400).contains(status) && code != .notModified
        }
    }

    /// In seconds, or as a moment by the server's own clock.
    /// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110.html#name-retry-after))
    private static func retryAfter(_ headers: HTTPHeaders) -> Duration? {
        guard let text = headers.first(name: "retry-after") else { return nil }
        if let seconds = Int(text) { return seconds >= 0 ? .seconds(min(seconds, 86_400)) : nil }
        guard let moment = Timestamp.parseHTTP(text) else { return nil }
        let now = headers.first(name: "date").flatMap { Timestamp.parseHTTP($0) } ?? Date()
        return .seconds(min(max(moment.timeIntervalSince(now), 0), 86_400))
    }

    /// What a request was about.
    struct Subject: Sendable, CustomStringConvertible {
        var operation: String
        var bucket: String
        var hasKey: Bool

        var description: String { "\(self.operation) in bucket '\(self.bucket)'" }
    }

    private static func code(status: Int, subject: Subject) -> Code {
        switch status {
        case 301, 307, 308: .permanentRedirect
        case 304: .notModified
        case 400: Code("BadRequest")
        case 401, 403: .accessDenied
        // S3 says in a body what is not there, but for HEAD. Without one it was somebody on the way, such as a proxy that has lost its S3.
        case 404 where subject.operation.hasPrefix("Head"): subject.hasKey ? .noSuchKey : .noSuchBucket
        case 404: .serviceUnavailable
        case 405: .methodNotAllowed
        case 408: .requestTimeout
        case 409: .operationAborted
        case 412: .preconditionFailed
        case 413: .entityTooLarge
        case 416: .invalidRange
        case 429: Code("TooManyRequests")
        case 501: .notImplemented
        case 503: .serviceUnavailable
        case 500...: .internalError
        default: .invalidResponse
        }
    }

    private static func remedy(_ code: Code) -> String? {
        switch code {
        case .accessDenied:
            "Check that the credentials may do this in the bucket."
        case .signatureDoesNotMatch:
            "Check AWS_SECRET_ACCESS_KEY, and that no proxy changes the request on its way."
        case .invalidAccessKeyID:
            "Check AWS_ACCESS_KEY_ID."
        case .expiredToken, .invalidToken, .tokenRefreshRequired:
            "The temporary credentials have ended or are not S3's: renew them."
        case .accessControlListNotSupported:
            "The bucket does not use ACLs: send none."
        case .invalidObjectState:
            "The object is archived: restore it first."
        case .requestTimeTooSkewed:
            "Set this machine's clock."
        case .noSuchBucket:
            "Create the bucket, or correct its name and the endpoint."
        default:
            nil
        }
    }

    /// Servers' texts end up in logs and rows.
    private static func bounded(_ text: String) -> String {
        String(text.prefix(300).map { $0.isNewline ? " " : $0 })
    }
}
