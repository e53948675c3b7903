/// Why a posted file cannot be taken, in a sentence that says what to do.
public struct UploadError: Error, Sendable, CustomStringConvertible {
    /// What went wrong. The raw value appears in JSON.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// As JSON has it, such as `expired_ticket`.
        public let rawValue: String
        private init(_ rawValue: String) { self.rawValue = rawValue }
        /// As JSON has it.
        public var description: String { self.rawValue }

        /// The form names a field that this route does not declare.
        public static let unknownField = Code("unknown_field")
        /// The body is not a well-formed form.
        public static let malformedForm = Code("malformed_form")
        /// The form or one of its parts is larger than allowed.
        public static let formTooLarge = Code("form_too_large")
        /// A required field came without a file.
        public static let required = Code("required")
        /// The ticket is missing, forged, or was drawn for something else.
        public static let invalidTicket = Code("invalid_ticket")
        /// The ticket's time is over.
        public static let expiredTicket = Code("expired_ticket")
        /// The key does not lie in the ticket's folder, or is not canonical.
        public static let invalidKey = Code("invalid_key")
        /// The object is not in S3.
        public static let missingObject = Code("missing_object")
        /// Parts of an upload have not arrived.
        public static let incompleteUpload = Code("incomplete_upload")
        /// More uploads in parts were begun than the field takes files.
        public static let tooManyUploads = Code("too_many_uploads")
        /// More files than the field takes.
        public static let tooManyFiles = Code("too_many_files")
        /// More bytes than the field takes.
        public static let tooLarge = Code("too_large")
        /// A type that the field does not accept.
        public static let wrongType = Code("wrong_type")
        /// The file was posted before by somebody else.
        public static let claimedByAnother = Code("claimed_by_another")
        /// Other bytes lie under the key by now than those that were sent before.
        public static let replaced = Code("replaced")
        /// The file waited too long for its form and was removed.
        public static let expired = Code("expired")
        /// S3 refuses the server: a configuration error.
        public static let storageRefused = Code("storage_refused")
        /// S3 does not answer.
        public static let storageUnavailable = Code("storage_unavailable")
        /// The record cannot be written.
        public static let databaseUnavailable = Code("database_unavailable")
        /// As many forms as this process takes at a time are on their way through it already.
        public static let busy = Code("busy")
        /// The destination that the app computed is not a valid key.
        public static let invalidDestination = Code("invalid_destination")
    }

    /// What went wrong.
    public var code: Code
    /// The field it is about.
    public var field: String?
    /// The file it is about, by the person's own name for it.
    public var filename: String?
    /// A sentence for the person in front of the form.
    public var message: String
    /// For the log: what lies underneath. Never shown to a browser.
    public var underlying: (any Error)?
    /// What is wrong with further fields and files of the same form, in its order.
    public var others: [UploadError] = []

    /// A refusal with a sentence for the person, such as an app's handler throws of its own.
    ///
    /// - Parameters:
    ///   - code: what went wrong; it decides the HTTP status.
    ///   - field: the field it is about.
    ///   - filename: the file it is about.
    ///   - message: for the person in front of the form.
    ///   - underlying: for the log alone.
    public init(_ code: Code, field: String? = nil, filename: String? = nil, message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.field = field
        self.filename = filename
        self.message = message
        self.underlying = underlying
    }

    /// One for all that is wrong with a form; nil when there is nothing.
    package init?(all errors: [UploadError]) {
        guard var first = errors.first else { return nil }
        first.others = Array(errors.dropFirst())
        self = first
    }

    /// The HTTP status that answers it: of several that differ, the gravest of the server's own, or else 422.
    public var status: Int {
        let statuses = Set([self.code.status] + self.others.map(\.code.status))
        guard statuses.count > 1 else { return self.code.status }
        return statuses.filter { $0 >= 500 }.max() ?? 422
    }

    /// For logs: code and sentence.
    public var description: String { "\(self.code): \(self.message)" }
}

extension UploadError.Code {
    fileprivate var status: Int {
        switch self {
        case .unknownField, .malformedForm: 400
        case .invalidTicket, .invalidKey, .claimedByAnother: 403
        case .replaced, .incompleteUpload: 409
        case .expired, .expiredTicket: 410
        case .formTooLarge, .tooLarge: 413
        case .wrongType: 415
        case .tooManyUploads: 429
        case .storageUnavailable, .databaseUnavailable, .busy: 503
        case .storageRefused: 502
        case .invalidDestination: 500
        default: 422
        }
    }
}
