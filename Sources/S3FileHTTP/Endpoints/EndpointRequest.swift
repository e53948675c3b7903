public import HTTPTypes
public import NIOCore
public import S3File

/// A request to one of the ``UploadEndpoints``, as any framework can make it of its own.
public struct EndpointRequest: Sendable {
    /// The headers of the request.
    public var headers: HTTPFields
    /// What the route's path names, such as `id` of `uploads/:id`.
    public var parameters: [String: String]
    /// The query's names and values, decoded, in their order.
    public var query: [(name: String, value: String)]
    /// At most ``UploadEndpoints/largestBody`` bytes; the adapter answers 413 to more.
    public var body: ByteBuffer
    /// The user or session that asks, as the app knows it; asked for only by routes that go by it. `nil` when the app does not say.
    public var subject: @Sendable () async throws -> String?
    /// Whether who asks may see an upload without its token, by the app's own rules, such as that it is theirs; `nil` for nobody.
    public var authorise: (@Sendable (Upload) async throws -> Bool)?

    /// A request of these parts; without ``subject`` and ``authorise`` only tickets and tokens decide.
    public init(
        headers: HTTPFields,
        parameters: [String: String] = [:],
        query: [(name: String, value: String)] = [],
        body: ByteBuffer = ByteBuffer(),
        subject: @escaping @Sendable () async throws -> String? = { nil },
        authorise: (@Sendable (Upload) async throws -> Bool)? = nil
    ) {
        self.headers = headers
        self.parameters = parameters
        self.query = query
        self.body = body
        self.subject = subject
        self.authorise = authorise
    }

    /// The first value of a name in the query.
    func queryValue(_ name: String) -> String? {
        self.query.first { $0.name == name }?.value
    }

    /// From `Authorization: Bearer`, or the query's `token`.
    var token: String? {
        if let authorization = self.headers[.authorization] {
            let parts = authorization.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" {
                return String(parts[1])
            }
        }
        return self.queryValue("token")
    }
}
