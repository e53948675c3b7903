import NIOCore
import NIOHTTP1

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
        if let remedy = Self.remedy(code, headers, subject) { message += message.hasSuffix(".") ? " \(remedy)" : ". \(remedy)" }
        self.init(
            code,
            status: status,
            message: message,
            requestID: (headers.first(name: "x-amz-request-id") ?? error?["RequestId"]?.text).map(Self.bounded),
            retryAfter: headers.first(name: "retry-after").flatMap { Int($0) }.flatMap { $0 >= 0 ? .seconds($0) : nil }
        )
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
        case 301, 307, 308: Code("PermanentRedirect")
        case 304: .notModified
        case 400: Code("BadRequest")
        case 401, 403: .accessDenied
        case 404: subject.hasKey ? .noSuchKey : .noSuchBucket
        case 405: .methodNotAllowed
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

    private static func remedy(_ code: Code, _ headers: HTTPHeaders, _ subject: Subject) -> String? {
        switch code {
        case Code("PermanentRedirect"), Code("TemporaryRedirect"), .authorizationHeaderMalformed:
            headers.first(name: "x-amz-bucket-region")
                .map { "The bucket is in the region \(Self.bounded($0)): set AWS_REGION to it." }
                ?? "Check AWS_REGION and the endpoint: the bucket answers elsewhere."
        case .accessDenied:
            "Check that the credentials may do this in the bucket."
        case .signatureDoesNotMatch:
            "Check AWS_SECRET_ACCESS_KEY, and that no proxy changes the request on its way."
        case .invalidAccessKeyID:
            "Check AWS_ACCESS_KEY_ID."
        case .expiredToken:
            "The temporary credentials have ended: renew them."
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
