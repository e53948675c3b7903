import Postgres

extension UploadError {
    /// What Postgres refused to enqueue, in the person's words. `s3file.enqueue` says why by its SQLSTATE.
    init(enqueuing promises: [UploadPromise], _ error: any Error) {
        let refused = error as? PostgresError
        let ordered = UploadQueue.inEnqueueOrder(promises)
        // One alone is one statement; of many, the place among them is told.
        let place = promises.count == 1 ? 0 : refused?.statementIndex
        let promise = place.flatMap { ordered.indices.contains($0) ? ordered[$0] : nil }
        let file = promise.map { "\"\($0.filename)\"" } ?? "A file"
        let (code, message): (Code, String) =
            switch refused?.sqlState {
            case "42501":
                (.claimedByAnother, "\(file) was sent before by another user or session. Choose it again and send the form.")
            case "SF409":
                (.replaced, "\(file) was replaced after it had been sent. Reload the page, choose it again and send the form.")
            case "SF410": (.expired, "\(file) waited too long and was removed. Choose it again and send the form.")
            default:
                (.databaseUnavailable, "The files arrived, but could not be recorded just now. Send the form again in a moment.")
            }
        self.init(code, field: promise?.field, filename: promise?.filename, message: message, underlying: error)
    }
}
