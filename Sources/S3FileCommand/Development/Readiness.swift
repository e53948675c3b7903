/// Tells one waiter that what it builds on is up.
struct Readiness: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    func declare() {
        self.continuation.yield()
    }

    /// - Throws: `CancellationError` when the waiter is cancelled first.
    func wait() async throws {
        guard await self.stream.first(where: { _ in true }) != nil else { throw CancellationError() }
    }
}
