import NIOCore
import NIOHTTP1

/// One request to S3, before it is addressed and signed.
struct S3Request: Sendable {
    /// Whether doing it twice is the same as doing it once.
    enum Repetition: Sendable {
        case safe
        /// A second time might undo or overwrite what came after the first: throw the outcome as unknown instead.
        case unsafe
    }

    var operation: S3Operation
    var method: HTTPMethod
    var bucket: String
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: ByteBuffer?
    var repetition: Repetition = .safe
    /// Of one attempt.
    var timeout: Duration
    /// The largest body of an answer that is success.
    var responseLimit: Int = 64 * 1024

    /// S3 works on these before it answers, and may send nothing meanwhile, or blanks that keep the connection open.
    var mayBeSilent: Bool {
        self.operation == .copyObject || self.operation == .uploadPartCopy || self.operation == .completeMultipartUpload
    }

    var subject: S3Error.Subject {
        S3Error.Subject(operation: self.operation.name, bucket: self.bucket, hasKey: self.key != nil)
    }

    /// Adds a header when there is a value for it.
    mutating func add(_ name: String, _ value: String?) {
        if let value { self.headers.append((name, value)) }
    }

    /// Header values travel as visible ASCII: anything else arrives changed, or splits the request.
    func validate() throws(S3Error) {
        for header in self.headers {
            guard header.value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw S3Error(
                    .invalidArgument,
                    status: 0,
                    message: "\(self.subject): the header \(header.name) may hold visible ASCII characters only."
                )
            }
            guard header.name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }) else {
                throw S3Error(.invalidArgument, status: 0, message: "\(self.subject): a header's name is malformed.")
            }
        }
    }
}

/// A whole answer.
struct S3Response: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer
}
