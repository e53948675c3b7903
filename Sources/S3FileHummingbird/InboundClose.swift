import HTTPTypes
import Hummingbird

/// Ends what a request began when its client has gone.
///
/// The connection is closed after the answer: the framework reads on to notice the end, and what it reads is lost. So this is for streams
/// alone. A wait is over in half a minute at the most, and its connection is kept.
struct InboundClose: Sendable {
    /// Nil when the end cannot be noticed.
    private let body: RequestBody?
    /// Whether the client is to be told that the connection is closed. Only HTTP/1 has a header for it; with it an answer by HTTP/2 is
    /// malformed. The framework does not say which of them a request came by, so it is told by what HTTP/2 forbids: this header, and
    /// capitals in any header's name.
    /// <https://www.rfc-editor.org/rfc/rfc9113#section-8.2>
    let mayBeTold: Bool

    init(of request: Request) {
        self.body = Self.isAsItCame(request.body) ? request.body : nil
        self.mayBeTold = request.headers.contains { field in
            field.name == .connection || field.name.rawName.utf8.contains { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        }
    }

    func cancelling<Value: Sendable>(_ operation: @escaping @Sendable () async throws -> Value) async throws -> Value {
        guard let body = self.body else { return try await operation() }
        return try await body.consumeWithCancellationOnInboundClose { _ in try await operation() }
    }

    /// The framework ends the process when it is asked to watch a body that some middleware has put in the place of the one that came, and has
    /// no way to ask. It keeps the connection only with a body that came by it; without one, nothing but a failing write tells that a client
    /// has gone.
    private static func isAsItCame(_ body: RequestBody) -> Bool {
        let backing = Mirror(reflecting: body).descendant("_backing")
        return backing.map { Mirror(reflecting: $0).children.first?.label == "nioAsyncChannelRequestBody" } ?? false
    }
}
