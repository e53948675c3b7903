import Foundation
import S3

extension Operations {
    /// Conditions on an object that is read, in the order of RFC 9110 section 13.2.2, which S3 follows: an ETag that matches outweighs a date
    /// that does not. CopyObject has the same ones for its source, with a prefix.
    ///
    /// ([AWS: GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html),
    /// [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html))
    ///
    /// - Parameter unmodified: what answers a reader who has it already.
    static func checkConditions(
        _ request: S3Request,
        _ record: ObjectRecord,
        prefix: String = "",
        unmodified: any Error
    ) throws {
        let modified = Int(record.modifiedDate.timeIntervalSince1970)
        func date(_ name: String) -> Int? {
            request.header(prefix + name).flatMap { Timestamp.parseHTTP($0) }.map { Int($0.timeIntervalSince1970) }
        }
        if let match = request.header(prefix + "if-match") {
            guard Self.matches(match, record.etag) else {
                throw S3Error.preconditionFailed(prefix + "if-match")
            }
        } else if let limit = date("if-unmodified-since"), modified > limit {
            throw S3Error.preconditionFailed(prefix + "if-unmodified-since")
        }
        if let match = request.header(prefix + "if-none-match") {
            guard !Self.matches(match, record.etag) else {
                throw unmodified
            }
        } else if let limit = date("if-modified-since"), modified <= limit {
            throw unmodified
        }
    }

    /// Whether a list of ETags, or `*`, holds this one.
    static func matches(_ list: String, _ etag: String) -> Bool {
        list.split(separator: ",").contains { item in
            let item = item.drop { $0 == " " }
            return item == "*" || ETag.unquoted(item) == etag
        }
    }
}
