public import HTTPTypes
public import NIOCore

/// A request to one of the ``DashboardEndpoints``, as any framework can make it of its own.
public struct DashboardRequest: Sendable {
    /// Method, path with the query as it came, authority and headers.
    public var head: HTTPRequest
    /// What the route's path names, such as `id` of `uploads/:id`.
    public var parameters: [String: String]
    /// At most ``DashboardEndpoints/largestBody`` bytes; the adapter answers 413 to more.
    public var body: ByteBuffer
    /// Whether who asks may change something; reading is for whoever the app lets come here.
    public var mayChange: @Sendable () async throws -> Bool

    /// A request of these parts. Unless it is said otherwise, whoever asks may read and nothing else.
    public init(
        head: HTTPRequest,
        parameters: [String: String] = [:],
        body: ByteBuffer = ByteBuffer(),
        mayChange: @escaping @Sendable () async throws -> Bool = { false }
    ) {
        self.head = head
        self.parameters = parameters
        self.body = body
        self.mayChange = mayChange
    }

    /// Without the query.
    var path: Substring { (self.head.path ?? "").prefix { $0 != "?" && $0 != "#" } }
}
