import Foundation
import NIOConcurrencyHelpers
import TestEnvironment

/// A process that is followed by another as soon as it has ended.
final class Respawned: Sendable {
    private struct State {
        var program: Program?
        var killed = 0
        var output: [String] = []
    }

    private let command: [String]
    private let environment: [String: String?]
    private let state = NIOLockedValueBox(State())

    init(command: [String], environment: [String: String?] = [:]) {
        self.command = command
        self.environment = environment
    }

    var killed: Int { self.state.withLockedValue { $0.killed } }
    /// Of the process that is there now.
    var processIdentifier: Int32? {
        self.state.withLockedValue { $0.program.flatMap { $0.hasEnded ? nil : $0.processIdentifier } }
    }
    /// What its processes have said.
    var output: [String] { self.state.withLockedValue { $0.output + ($0.program?.output ?? []) } }

    /// - Returns: whether there was a process to send it to.
    @discardableResult
    func send(_ signal: Int32) -> Bool {
        self.state.withLockedValue { state in
            guard let program = state.program, !program.hasEnded else { return false }
            program.send(signal: signal)
            if signal == SIGKILL { state.killed += 1 }
            return true
        }
    }

    /// Keeps a process running until it is cancelled, and then ends it.
    func run() async throws {
        while !Task.isCancelled {
            do {
                _ = try await Program.with(self.command[0], Array(self.command.dropFirst()), environment: self.environment) {
                    program in
                    self.state.withLockedValue { $0.program = program }
                    while !Task.isCancelled, !program.hasEnded { try? await Task.sleep(for: .milliseconds(50)) }
                    self.state.withLockedValue { state in
                        state.output += program.output
                        state.program = nil
                    }
                    // One that is stopped would not hear that it shall end.
                    program.send(signal: SIGCONT)
                    Clock.forget(program.processIdentifier)
                }
            } catch is CancellationError {
                return
            }
            // One that cannot start, as while Postgres is away, is started again; not as fast as it ends.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Runs them beside `body`.
    static func whileRunning<R: Sendable>(_ processes: [Respawned], _ body: () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for process in processes { group.addTask { try await process.run() } }
            let result: Result<R, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            group.cancelAll()
            for process in processes { process.send(SIGCONT) }
            try await group.waitForAll()
            return try result.get()
        }
    }
}
