import HTTPTypes
import S3File

extension Problem {
    init(_ error: UploadError) {
        self.init(
            status: HTTPResponse.Status(code: error.status),
            code: error.code.rawValue,
            detail: error.message,
            field: error.field,
            filename: error.filename
        )
        if error.status == 503 {
            self.headers[.retryAfter] = "5"
        }
    }

    init(_ error: FormBodyError) {
        self.init(
            status: HTTPResponse.Status(code: error.status),
            code: error.code == .tooLarge ? "form_too_large" : "malformed_form",
            detail: error.message
        )
    }
}
