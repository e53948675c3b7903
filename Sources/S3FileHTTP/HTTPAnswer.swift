public import HTTPTypes
public import NIOCore

/// A response as any framework can send it.
public struct HTTPAnswer: Sendable {
    /// What follows the headers.
    public enum Body: Sendable {
        /// Nothing.
        case empty
        /// All of it, known at once.
        case bytes(ByteBuffer)
        /// Comes bit by bit. Whoever sends it ends the iteration when the client is gone.
        case stream(any AsyncSequence<ByteBuffer, any Error> & Sendable)
    }

    /// The status line's code and phrase.
    public var status: HTTPResponse.Status
    /// The headers; `Content-Length` is for whoever sends it to add.
    public var headers: HTTPFields
    /// What follows the headers.
    public var body: Body

    /// An answer of these parts.
    public init(status: HTTPResponse.Status, headers: HTTPFields = [:], body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension HTTPAnswer {
    /// A stream of server-sent events. Proxies neither keep it nor squeeze it; nginx sends it on as it comes.
    static func events(_ stream: any AsyncSequence<ByteBuffer, any Error> & Sendable, cacheControl: String) -> HTTPAnswer {
        var headers: HTTPFields = [
            .contentType: "text/event-stream",
            .cacheControl: "\(cacheControl), no-transform",
            .xContentTypeOptions: "nosniff",
        ]
        if let buffering = HTTPField.Name("X-Accel-Buffering") { headers[buffering] = "no" }
        return HTTPAnswer(status: .ok, headers: headers, body: .stream(stream))
    }
}
