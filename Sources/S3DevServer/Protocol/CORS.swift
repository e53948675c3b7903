import HTTPTypes
import Hummingbird
import S3

/// What browsers need to hear before a page of another origin may use a bucket
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).
enum CORS {
    /// One of a bucket's rules. The first that fits a request counts.
    struct Rule: Sendable, Hashable {
        var origins: [String]
        var methods: [String]
        var headers: [String] = []
        var exposed: [String] = []
        var maximumAge: Int?

        static let knownMethods = ["GET", "HEAD", "PUT", "POST", "DELETE"]

        /// The server's own, for buckets without rules.
        init(allowedOrigins: [String]) {
            self.origins = allowedOrigins
            self.methods = Self.knownMethods
            self.headers = ["*"]
            self.exposed = [
                "ETag", "Location", "Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified", "x-amz-request-id",
                "x-amz-version-id",
            ]
            self.maximumAge = 3000
        }

        private init(_ element: XMLElement) throws(S3Error) {
            func texts(_ name: String) -> [String] { element.all(name).map(\.text) }
            self.origins = texts("AllowedOrigin")
            self.methods = texts("AllowedMethod")
            self.headers = texts("AllowedHeader")
            self.exposed = texts("ExposeHeader")
            guard !self.origins.isEmpty, !self.methods.isEmpty else {
                throw .malformedXML
            }
            for method in self.methods where !Self.knownMethods.contains(method) {
                throw .invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
            }
            for pattern in self.origins where pattern.count(where: { $0 == "*" }) > 1 {
                throw .invalidRequest("AllowedOrigin \"\(pattern)\" can not have more than one wildcard.")
            }
            for pattern in self.headers where pattern.count(where: { $0 == "*" }) > 1 {
                throw .invalidRequest("AllowedHeader \"\(pattern)\" can not have more than one wildcard.")
            }
            for header in self.exposed where header.contains("*") {
                throw .invalidRequest(
                    "ExposeHeader \"\(header)\" contains wildcard. We currently do not support wildcard for ExposeHeader."
                )
            }
            if let age = element["MaxAgeSeconds"] {
                guard let seconds = Int(age.text), seconds >= 0 else {
                    throw .malformedXML
                }
                self.maximumAge = seconds
            }
        }

        static func parse(_ document: [UInt8]) throws(S3Error) -> [Rule] {
            let rules = try Operations.document(document, root: "CORSConfiguration").all("CORSRule")
            guard (1...100).contains(rules.count) else {
                throw .malformedXML
            }
            var parsed: [Rule] = []
            for rule in rules {
                parsed.append(try Rule(rule))
            }
            return parsed
        }

        func allows(origin: String, method: String, headers: [String] = []) -> Bool {
            self.methods.contains(method) && self.origins.contains { Self.matches(origin, $0) }
                && headers.allSatisfy { header in
                    self.headers.contains { Self.matches(header.lowercased(), $0.lowercased()) }
                }
        }

        /// One asterisk stands for anything.
        private static func matches(_ text: String, _ pattern: String) -> Bool {
            guard let star = pattern.firstIndex(of: "*") else {
                return text == pattern
            }
            let (head, tail) = (pattern[..<star], pattern[pattern.index(after: star)...])
            return text.utf8.count >= head.utf8.count + tail.utf8.count && text.hasPrefix(head) && text.hasSuffix(tail)
        }
    }

    static let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

    /// The headers that a page of this origin needs to see an answer of this bucket, if it may.
    static func decorate(_ headers: inout HTTPFields, origin: String, method: String, rules: [Rule]) {
        guard let rule = rules.first(where: { $0.allows(origin: origin, method: method) }) else {
            return
        }
        let isPublic = rule.origins.contains("*")
        headers.set("access-control-allow-origin", isPublic ? "*" : origin)
        headers.set("access-control-allow-credentials", isPublic ? nil : "true")
        headers.set("access-control-allow-methods", rule.methods.joined(separator: ", "))
        if !rule.exposed.isEmpty {
            headers.set("access-control-expose-headers", rule.exposed.joined(separator: ", "))
        }
        headers.set("vary", self.vary)
    }
}

extension Operations {
    func corsRules(of bucket: String?) -> [CORS.Rule] {
        bucket.flatMap { self.disk.store.corsRules(of: $0) } ?? [CORS.Rule(allowedOrigins: self.configuration.allowedOrigins)]
    }

    /// Answers an OPTIONS request as S3 does a preflight.
    func preflight(_ request: S3Request) throws(S3Error) -> Response {
        guard let origin = request.header("origin"), let method = request.header("access-control-request-method") else {
            throw S3Error(
                S3Error.Code("BadRequest"),
                status: 400,
                message: "Insufficient information. Origin request header and Access-Control-Request-Method are needed."
            )
        }
        let asked = (request.header("access-control-request-headers") ?? "").split(separator: ",")
            .map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
        guard
            let rule = self.corsRules(of: request.bucket).first(where: {
                $0.allows(origin: origin, method: method, headers: asked)
            })
        else {
            throw S3Error(
                S3Error.Code("AccessForbidden"),
                status: 403,
                message:
                    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request "
                    + "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's "
                    + "CORS spec."
            )
        }
        var response = Response(status: .ok)
        if !asked.isEmpty {
            response.headers.set("access-control-allow-headers", asked.map { $0.lowercased() }.joined(separator: ", "))
        }
        response.headers.set("access-control-max-age", rule.maximumAge.map { String($0) })
        return response
    }
}
