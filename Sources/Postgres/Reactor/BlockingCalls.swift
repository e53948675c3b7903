import NIOConcurrencyHelpers
import NIOPosix

/// The libpq calls that cannot be made non-blocking: name resolution while connecting, and `PQcancel`.
///
/// Two pools, so that connecting to a name server that does not answer never delays a cancellation.
enum BlockingCalls {
    static let connecting = Self.started(threads: 4)
    /// More than commonly cancel at once: where a host vanished each waits as long as the kernel does.
    static let cancelling = Self.started(threads: 16)

    private static func started(threads: Int) -> NIOThreadPool {
        let pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        return pool
    }

    /// Runs `body` on `pool` and waits for it until `deadline` or cancellation, whichever is first. An abandoned `body` runs to its
    /// end, and what it returns is dropped there: results own what they hold.
    static func run<Value: Sendable>(
        on pool: NIOThreadPool,
        until deadline: ContinuousClock.Instant,
        otherwise timeout: PostgresError,
        _ body: @escaping @Sendable () -> Value
    ) async throws -> Value {
        let outcome = OneShot<Value>()
        pool.submit { state in
            switch state {
            case .active: outcome.complete(.success(body()))
            case .cancelled: outcome.complete(.failure(.closed("The process is ending.")))
            }
        }
        return try await outcome.value(until: deadline, otherwise: timeout)
    }
}

/// A value that one of several parties delivers first; later ones are ignored.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case awaited(CheckedContinuation<Value, any Error>)
        case delivered(Result<Value, PostgresError>)
        case taken
    }

    private let state = NIOLockedValueBox(State.empty)

    func complete(_ result: Result<Value, PostgresError>) {
        let continuation: CheckedContinuation<Value, any Error>? = self.state.withLockedValue { state in
            switch state {
            case .empty:
                state = .delivered(result)
                return nil
            case .awaited(let continuation):
                state = .taken
                return continuation
            case .delivered, .taken:
                return nil
            }
        }
        continuation?.resume(with: result.mapError { $0 })
    }

    /// Awaited once, until somebody delivers, the task is cancelled, or `deadline` has passed.
    func value(until deadline: ContinuousClock.Instant, otherwise timeout: PostgresError) async throws -> Value {
        let timer = Reactor.shared.schedule(at: deadline) { self.complete(.failure(timeout)) }
        defer { Reactor.shared.cancel(timer) }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let delivered: Result<Value, PostgresError>? = self.state.withLockedValue { state in
                    if case .delivered(let result) = state {
                        state = .taken
                        return result
                    }
                    state = .awaited(continuation)
                    return nil
                }
                if let delivered { continuation.resume(with: delivered.mapError { $0 }) }
            }
        } onCancel: {
            self.complete(.failure(.cancelled()))
        }
    }
}
