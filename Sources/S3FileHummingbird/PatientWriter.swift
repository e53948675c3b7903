import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// Writes a stream to a client, and gives up when the client does not read: what lies in the connection's buffers is all that it may cost.
///
/// Unchecked, as the framework's writers are not declared to be sendable: only the one task in ``write(_:)`` that sends touches the writer,
/// and the framework, which lent it, waits for that.
final class PatientWriter: @unchecked Sendable {
    /// How long one piece may take.
    static let patience = Duration.seconds(30)

    private var writer: any ResponseBodyWriter
    private let patience: Duration
    private let sendingSince = NIOLockedValueBox<ContinuousClock.Instant?>(nil)

    init(_ writer: any ResponseBodyWriter, patience: Duration = PatientWriter.patience) {
        self.writer = writer
        self.patience = patience
    }

    /// - Throws: `CancellationError` when the client does not read, or the task is cancelled; what the stream or the connection throws.
    func write(_ stream: any AsyncSequence<ByteBuffer, any Error> & Sendable) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.send(stream) }
            group.addTask { try await self.watch() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    @concurrent
    private func send(_ stream: any AsyncSequence<ByteBuffer, any Error> & Sendable) async throws {
        for try await piece in stream {
            self.sendingSince.withLockedValue { $0 = .now }
            try await self.writer.write(piece)
            self.sendingSince.withLockedValue { $0 = nil }
        }
        self.sendingSince.withLockedValue { $0 = .now }
        try await self.writer.finish(nil)
    }

    /// Returns never, and throws when a piece has been on its way for too long.
    private func watch() async throws {
        while true {
            try await Task.sleep(for: self.patience / 2)
            let since = self.sendingSince.withLockedValue { $0 }
            if let since, ContinuousClock.now - since >= self.patience { throw CancellationError() }
        }
    }
}
