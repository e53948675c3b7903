import HTTPTypes

/// Which pages of other origins may read statuses: none, unless an app says so.
///
/// <https://fetch.spec.whatwg.org/#http-cors-protocol>
public struct CrossOrigin: Sendable, Equatable {
    private let origins: Set<String>
    private let sendsCredentials: Bool

    /// No page of another origin. What is asked without a browser is not concerned.
    public static let off = CrossOrigin(origins: [], sendsCredentials: false)

    /// Pages of these origins.
    ///
    /// - Parameters:
    ///   - origins: such as `https://app.example.com`: scheme, host and port as browsers send them, without a slash at the end. `*` alone is
    ///     every origin: the tokens decide.
    ///   - credentials: whether browsers send the app's cookies along, for an authoriser. Not with `*`.
    public static func origins(_ origins: [String], credentials: Bool = false) -> CrossOrigin {
        for origin in origins where origin != "*" {
            let host = origin.dropFirst(origin.hasPrefix("https://") ? 8 : origin.hasPrefix("http://") ? 7 : origin.count)
            precondition(
                !host.isEmpty && !host.contains { "/?#@ *".contains($0) },
                "CORS: \"\(origin)\" is not an origin such as https://app.example.com"
            )
        }
        precondition(
            !origins.contains("*") || (origins == ["*"] && !credentials),
            "CORS: \"*\" stands alone, and never with credentials"
        )
        return CrossOrigin(origins: Set(origins), sendsCredentials: credentials)
    }

    private var isOff: Bool { self.origins.isEmpty }

    /// Nil when the request's origin is not one of them.
    private func allowed(_ request: EndpointRequest) -> String? {
        if self.origins == ["*"] { return "*" }
        guard let origin = request.headers[.origin], self.origins.contains(origin) else { return nil }
        return origin
    }

    /// Adds what lets the page read the answer. `Vary` also for those who may not, or a cache would give them the others' answer.
    func admit(_ request: EndpointRequest, to answer: HTTPAnswer) -> HTTPAnswer {
        guard !self.isOff else { return answer }
        var answer = answer
        answer.headers[.vary] = "Origin"
        guard let origin = self.allowed(request) else { return answer }
        answer.headers[.accessControlAllowOrigin] = origin
        answer.headers[.accessControlExposeHeaders] = "ETag, Retry-After"
        if self.sendsCredentials { answer.headers[.accessControlAllowCredentials] = "true" }
        return answer
    }

    /// The answer to a browser that asks before it asks.
    func preflight(_ request: EndpointRequest) -> HTTPAnswer {
        var answer = self.admit(request, to: HTTPAnswer(status: .noContent, headers: [.allow: "GET, OPTIONS"]))
        guard answer.headers[.accessControlAllowOrigin] != nil else { return answer }
        answer.headers[.accessControlAllowMethods] = "GET"
        answer.headers[.accessControlAllowHeaders] = "Authorization, If-None-Match, Last-Event-ID, Cache-Control"
        answer.headers[.accessControlMaxAge] = "600"
        answer.headers[.accessControlExposeHeaders] = nil
        return answer
    }
}
