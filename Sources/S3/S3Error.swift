/// What S3, or the way to it, answered instead of success.
package struct S3Error: Error, Sendable {
    /// S3's own code where it sent one (`NoSuchKey`), and a few of ours for answers that never came.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let rawValue: String

        package init(_ rawValue: String) {
            self.rawValue = rawValue
        }

        package var description: String { self.rawValue }
    }

    package var code: Code
    /// The HTTP status, or 0 when there was no answer.
    package var status: Int
    /// A sentence for people. It names buckets and endpoints, never keys' secrets or signatures.
    package var message: String
    /// S3's name for the request, to quote to its operator.
    package var requestID: String?
    /// The other half of that name, which AWS's support asks for.
    package var hostID: String?
    /// Where the bucket is, when S3 said so: after a redirect, or a signature for another region.
    package var region: String?
    /// Whether a later attempt may succeed without anything being changed. After ``Code/outcomeUnknown`` it is true, but the
    /// caller must first look up what happened.
    package var retryable: Bool
    /// How long the server asked to wait.
    package var retryAfter: Duration?
    /// For ``Code/outcomeUnknown``: what went wrong.
    package var cause: Code?
    /// What was wrong has been put right by this client, so the same request is worth sending once more.
    var isRemedied = false

    package init(
        _ code: Code,
        status: Int,
        message: String,
        requestID: String? = nil,
        hostID: String? = nil,
        region: String? = nil,
        retryable: Bool? = nil,
        retryAfter: Duration? = nil,
        cause: Code? = nil
    ) {
        self.code = code
        self.status = status
        self.message = message
        self.requestID = requestID
        self.hostID = hostID
        self.region = region
        self.retryable = retryable ?? code.isRetryable(status: status)
        self.retryAfter = retryAfter
        self.cause = cause
    }

    /// The request may have taken effect: look at the destination before repeating it.
    package var isOutcomeUnknown: Bool { self.code == .outcomeUnknown }
}

extension S3Error: CustomStringConvertible {
    package var description: String {
        var text = "S3 \(self.code.rawValue)"
        if let cause = self.cause { text += " (\(cause.rawValue))" }
        if self.status != 0 { text += ", HTTP \(self.status)" }
        if !self.message.isEmpty { text += ": \(self.message)" }
        if let requestID = self.requestID {
            text += " [request \(requestID)\(self.hostID.map { ", host \($0)" } ?? "")]"
        }
        return text
    }
}

extension S3Error.Code {
    // Answers of S3 itself.
    package static let accessControlListNotSupported = Self("AccessControlListNotSupported")
    package static let accessDenied = Self("AccessDenied")
    package static let authorizationHeaderMalformed = Self("AuthorizationHeaderMalformed")
    package static let authorizationQueryParametersError = Self("AuthorizationQueryParametersError")
    package static let badDigest = Self("BadDigest")
    package static let bucketAlreadyExists = Self("BucketAlreadyExists")
    package static let bucketAlreadyOwnedByYou = Self("BucketAlreadyOwnedByYou")
    package static let bucketNotEmpty = Self("BucketNotEmpty")
    package static let conditionalRequestConflict = Self("ConditionalRequestConflict")
    package static let entityTooLarge = Self("EntityTooLarge")
    package static let entityTooSmall = Self("EntityTooSmall")
    package static let expiredToken = Self("ExpiredToken")
    package static let internalError = Self("InternalError")
    package static let invalidAccessKeyID = Self("InvalidAccessKeyId")
    package static let invalidObjectState = Self("InvalidObjectState")
    package static let invalidToken = Self("InvalidToken")
    package static let invalidArgument = Self("InvalidArgument")
    package static let invalidPart = Self("InvalidPart")
    package static let invalidPolicyDocument = Self("InvalidPolicyDocument")
    package static let invalidRange = Self("InvalidRange")
    package static let invalidRequest = Self("InvalidRequest")
    package static let malformedXML = Self("MalformedXML")
    package static let methodNotAllowed = Self("MethodNotAllowed")
    package static let noSuchBucket = Self("NoSuchBucket")
    package static let noSuchKey = Self("NoSuchKey")
    package static let noSuchUpload = Self("NoSuchUpload")
    package static let noSuchVersion = Self("NoSuchVersion")
    package static let notFound = Self("NotFound")
    package static let notImplemented = Self("NotImplemented")
    package static let notModified = Self("NotModified")
    package static let operationAborted = Self("OperationAborted")
    package static let permanentRedirect = Self("PermanentRedirect")
    package static let preconditionFailed = Self("PreconditionFailed")
    package static let requestTimeTooSkewed = Self("RequestTimeTooSkewed")
    package static let requestTimeout = Self("RequestTimeout")
    package static let serviceUnavailable = Self("ServiceUnavailable")
    package static let signatureDoesNotMatch = Self("SignatureDoesNotMatch")
    package static let slowDown = Self("SlowDown")
    package static let temporaryRedirect = Self("TemporaryRedirect")
    package static let tokenRefreshRequired = Self("TokenRefreshRequired")

    // Ours.
    /// No connection could be made: nothing was sent.
    package static let connectionFailed = Self("ConnectionFailed")
    /// The connection broke.
    package static let connectionLost = Self("ConnectionLost")
    /// The answer did not begin, go on or end in time; the message says which.
    package static let timedOut = Self("TimedOut")
    /// More requests wait for this bucket than this client keeps in memory: nothing was sent.
    package static let tooManyWaiting = Self("TooManyWaiting")
    /// The request may or may not have taken effect, and repeating it is for the caller to decide.
    package static let outcomeUnknown = Self("OutcomeUnknown")
    /// The answer is not what S3 answers.
    package static let invalidResponse = Self("InvalidResponse")
    /// The settings or credentials cannot be used.
    package static let configuration = Self("Configuration")
    /// The provider of credentials failed: nothing was sent.
    package static let credentialsUnavailable = Self("CredentialsUnavailable")

    /// Codes that AWS's SDKs retry; anything else is by status.
    func isRetryable(status: Int) -> Bool {
        switch self {
        case .internalError, .serviceUnavailable, .slowDown, .requestTimeout, .operationAborted, .conditionalRequestConflict,
            .connectionFailed, .connectionLost, .timedOut, .tooManyWaiting, .outcomeUnknown, .credentialsUnavailable,
            Self("RequestTimeoutException"):
            return true
        case _ where self.isThrottling:
            return true
        case .notImplemented, .configuration:
            return false
        default:
            return status == 429 || status == 500 || status == 502 || status == 503 || status == 504
        }
    }

    /// Codes that ask for fewer requests.
    private var isThrottling: Bool {
        switch self {
        case .slowDown, Self("Throttling"), Self("ThrottlingException"), Self("RequestThrottled"), Self("TooManyRequests"),
            Self("BandwidthLimitExceeded"), Self("RequestLimitExceeded"), Self("RequestThrottledException"):
            return true
        default:
            return false
        }
    }

    /// Whether the store asked for fewer requests, and so did nothing with this one.
    func isThrottling(status: Int) -> Bool {
        self.isThrottling || status == 503 || status == 429
    }

    /// Whether an answer with this code says for certain that nothing was done.
    func isRefusal(status: Int) -> Bool {
        switch self {
        case .slowDown, .requestTimeout, .connectionFailed, .operationAborted, .conditionalRequestConflict:
            return true
        case .outcomeUnknown, .connectionLost, .timedOut, .invalidResponse, .internalError, .serviceUnavailable:
            return false
        default:
            // S3's own codes mean the same under a status of 200, which it sends before it knows how a copy ends. Without a
            // status the request was refused here, before it was sent.
            return status == 0 || (200..<500).contains(status)
        }
    }
}
