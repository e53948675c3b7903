import ArgumentParser
import Foundation
import UnixSignals

/// Ctrl-C and SIGTERM for work that has something to tidy up.
enum Interruption {
    /// Runs `body`, and cancels it at the first signal. The command then ends as the signal would have ended it.
    static func cancelling<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await signal in signals { throw ExitCode(128 + (signal == .sigint ? SIGINT : SIGTERM)) }
                return nil
            }
            var result: Result<R, any Error>?
            do {
                while result == nil, let next = try await group.next() { if let next { result = .success(next) } }
            } catch {
                result = .failure(error)
            }
            group.cancelAll()
            // What was cancelled tidies up first.
            while !group.isEmpty { _ = try? await group.next() }
            guard let result else { throw CancellationError() }
            return try result.get()
        }
    }
}
