import ArgumentParser
import UnixSignals

/// Ctrl-C and SIGTERM end a run as anything else does: its processes with it.
enum Interruption {
    static func cancelling<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                    say("\(signal): ending everything")
                    return nil
                }
                return nil
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() ?? nil else { throw ExitCode(130) }
            return result
        }
    }
}
