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

    public var status: HTTPResponse.Status
    public var headers: HTTPFields
    public var body: Body

    public init(status: HTTPResponse.Status, headers: HTTPFields = [:], body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
