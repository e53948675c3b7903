import HTTPTypes
import Hummingbird
import S3

/// A request as S3 reads it: decoded once, from the bytes that were sent.
struct S3Request: Sendable {
    let method: String
    let rawPath: String
    let query: [(name: String, value: String)]
    /// With `host`, names in lower case.
    let headers: [(name: String, value: String)]
    let bucket: String?
    let key: ObjectKey?
    /// Whether the bucket came with the host instead of the path.
    let isVirtualHost: Bool
    let id: String
    let body: RequestBody

    init(_ request: Request, id: String) throws(S3Error) {
        let invalid = S3Error(S3Error.Code("InvalidURI"), status: 400, message: "Couldn't parse the specified URI.")
        let target = request.head.path ?? "/"
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        let rawPath = String(target[..<mark])
        guard rawPath.utf8.first == UInt8(ascii: "/"), let path = URIEncoding.decode(rawPath),
            let query = URIEncoding.parseQuery(mark == target.endIndex ? "" : target[target.utf8.index(after: mark)...])
        else {
            throw invalid
        }
        let host = request.head.authority ?? ""
        self.method = request.method.rawValue
        self.rawPath = rawPath
        self.query = query
        self.headers =
            [("host", host)]
            + request.headers.map { (name: $0.name.canonicalName, value: $0.value) }.filter { $0.name != "host" }
        self.id = id
        self.body = request.body

        var rest = path.dropFirst()
        if let bucket = Self.bucket(ofHost: host) {
            self.bucket = bucket
            self.isVirtualHost = true
        } else {
            self.isVirtualHost = false
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            guard let bucket = String(validating: rest[..<end], as: UTF8.self) else {
                throw invalid
            }
            self.bucket = bucket.isEmpty ? nil : bucket
            guard self.bucket != nil || rest.isEmpty else {
                throw invalid
            }
            rest = end == rest.endIndex ? [] : rest[(end + 1)...]
        }
        self.key = rest.isEmpty ? nil : try ObjectKey(Array(rest))
    }

    /// The bucket of `bucket.localhost:9000`.
    private static func bucket(ofHost host: String) -> String? {
        let name = host.prefix { $0 != ":" }.lowercased()
        guard name.hasSuffix(".localhost"), name.utf8.count > ".localhost".utf8.count else {
            return nil
        }
        return String(name.dropLast(".localhost".count))
    }

    var host: String { self.headers[0].value }

    func header(_ name: String) -> String? {
        self.headers.first { $0.name == name }?.value
    }

    func parameter(_ name: String) -> String? {
        self.query.first { $0.name == name }?.value
    }

    func has(_ parameter: String) -> Bool {
        self.parameter(parameter) != nil
    }

    /// The version that the request names.
    func version() throws(S3Error) -> ObjectVersion? {
        guard let text = self.parameter("versionId") else {
            return nil
        }
        guard !text.isEmpty else {
            throw .invalidArgument("Version id cannot be the empty string")
        }
        return try ObjectVersion(text)
    }

    func requireBucket() throws(S3Error) -> String {
        guard let bucket = self.bucket else {
            throw .methodNotAllowed
        }
        return bucket
    }

    func requireKey() throws(S3Error) -> ObjectKey {
        guard let key = self.key else {
            throw .methodNotAllowed
        }
        return key
    }

    /// The length of the body as it is on the wire, which S3 wants to know beforehand.
    func requireContentLength() throws(S3Error) -> Int64 {
        guard let text = self.header("content-length") else {
            throw S3Error(
                S3Error.Code("MissingContentLength"),
                status: 411,
                message: "You must provide the Content-Length HTTP header."
            )
        }
        guard let length = Int64(text), length >= 0 else {
            throw S3Error(.invalidArgument, status: 400, message: "The Content-Length header is not a number.")
        }
        return length
    }

    var operation: Faults.Operation {
        Faults.Operation(
            method: self.method,
            bucket: self.bucket,
            key: self.key?.text,
            parameters: Set(self.query.map(\.name)),
            isCopy: self.header("x-amz-copy-source") != nil,
            isConditional: self.method != "GET" && self.method != "HEAD"
                && (self.header("if-match") != nil || self.header("if-none-match") != nil)
        )
    }
}
