import HTTPTypes
package import S3File

extension Problem {
    /// As many requests are served as may be at a time.
    package static let busy = Problem(
        status: .serviceUnavailable,
        code: "busy",
        detail: "As many requests are being served as may be. Try again in a moment.",
        headers: [.retryAfter: "1"]
    )

    package init(_ error: UploadError) {
        self.init(
            status: HTTPResponse.Status(code: error.status),
            code: error.code.rawValue,
            detail: error.message,
            field: error.field,
            filename: error.filename,
            underlying: error.underlying
        )
        self.errors = ([error] + error.others).map { error in
            Fault(field: error.field, filename: error.filename, code: error.code.rawValue, detail: error.message)
        }
        if error.status == 503 {
            self.headers[.retryAfter] = "5"
        }
    }

    package init(_ error: FormBodyError) {
        self.init(
            status: HTTPResponse.Status(code: error.status),
            code: error.code == .tooLarge ? "form_too_large" : "malformed_form",
            detail: error.message
        )
    }

    /// What a form is refused with; nil for errors that are not the form's.
    init?(refusing error: any Error) {
        switch error {
        case let error as UploadError: self.init(error)
        case let error as FormBodyError: self.init(error)
        case let problem as Problem: self = problem
        case is Pace.TooSlow:
            self.init(
                status: .requestTimeout,
                code: "too_slow",
                detail: "The form came too slowly and was given up. Send it again over a better connection."
            )
        default: return nil
        }
    }
}
