import S3

extension UploadError {
    /// What the store said when it was asked for a file, in the person's words. That there is none is for the caller to tell.
    init(reading error: any Error, field: String, filename: String) {
        if let error = error as? S3Error, error.status == 403 || error.code == .noSuchBucket {
            self.init(
                .storageRefused,
                field: field,
                filename: filename,
                message: "The server may not read its own storage. The administrator must check its settings.",
                underlying: error
            )
        } else {
            self.init(
                .storageUnavailable,
                field: field,
                filename: filename,
                message: "\"\(filename)\" could not be checked just now. Send the form again in a moment.",
                underlying: error
            )
        }
    }

    /// What the store said when a file was to be written, in the person's words.
    init(writing error: S3Error, field: String, filename: String) {
        if error.status == 403 || error.code == .noSuchBucket {
            self.init(
                .storageRefused,
                field: field,
                filename: filename,
                message: "The server may not write to its own storage. The administrator must check its settings.",
                underlying: error
            )
        } else {
            self.init(
                .storageUnavailable,
                field: field,
                filename: filename,
                message: "\"\(filename)\" could not be stored just now. Send the form again in a moment.",
                underlying: error
            )
        }
    }
}
