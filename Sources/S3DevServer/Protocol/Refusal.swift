import S3

/// An error of S3 that tells more than its code and its message.
struct Refusal: Error {
    var error: S3Error
    var headers: [(name: String, value: String)]
    /// Further elements of the answer's document.
    var elements: [(name: String, text: String)]

    init(_ error: S3Error, headers: [(name: String, value: String)] = [], elements: [(name: String, text: String)] = []) {
        self.error = error
        self.headers = headers
        self.elements = elements
    }

    /// A delete marker is no object: as the current version it is one that is missing, and by its id it may only be deleted
    /// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html).
    static func deleteMarker(_ entry: BucketIndex.Entry, isNamed: Bool) -> Refusal {
        let headers = [(name: "x-amz-delete-marker", value: "true")]
        guard isNamed else {
            return Refusal(
                Store.noSuchKey(),
                headers: headers + [("x-amz-version-id", ObjectVersion(id: entry.version).text)]
            )
        }
        return Refusal(
            .methodNotAllowed,
            headers: headers + [("allow", "DELETE"), ("last-modified", Timestamp.http(entry.modifiedDate))]
        )
    }
}

extension S3Error {
    static var methodNotAllowed: S3Error {
        S3Error(.methodNotAllowed, status: 405, message: "The specified method is not allowed against this resource.")
    }

    static func notImplemented(_ what: String) -> S3Error {
        S3Error(.notImplemented, status: 501, message: "S3DevServer does not implement \(what).")
    }

    static func invalidArgument(_ message: String) -> S3Error {
        S3Error(.invalidArgument, status: 400, message: message)
    }

    static func invalidRequest(_ message: String) -> S3Error {
        S3Error(.invalidRequest, status: 400, message: message)
    }

    static func badDigest(_ what: String) -> S3Error {
        S3Error(.badDigest, status: 400, message: "The \(what) you specified did not match the calculated checksum.")
    }

    /// - Parameter condition: the header that did not hold; it is not told when it is one of several.
    static func preconditionFailed(_ condition: String? = nil) -> S3Error {
        S3Error(
            .preconditionFailed,
            status: 412,
            message: "At least one of the pre-conditions you specified did not hold" + (condition.map { ": \($0)" } ?? "")
        )
    }

    static var malformedXML: S3Error {
        S3Error(
            .malformedXML,
            status: 400,
            message: "The XML you provided was not well-formed or did not validate against our published schema"
        )
    }

    static var incompleteBody: S3Error {
        S3Error(
            Code("IncompleteBody"),
            status: 400,
            message: "You did not provide the number of bytes specified by the Content-Length HTTP header"
        )
    }
}
