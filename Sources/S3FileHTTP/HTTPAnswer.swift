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
        /// Comes bit by bit: call it with what sends a piece to the client. It returns at the end, and ends early when its task is cancelled.
        case stream(@Sendable (_ write: (ByteBuffer) async throws -> Void) async throws -> Void)
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
