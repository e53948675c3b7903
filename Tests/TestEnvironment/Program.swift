import Foundation
import Subprocess
import NIOConcurrencyHelpers

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// A program that runs while a test looks at it.
package final class Program: Sendable {
    package let processIdentifier: Int32
    private let lines = NIOLockedValueBox<(lines: [String], hasEnded: Bool)>(([], false))

    private init(processIdentifier: Int32) {
        self.processIdentifier = processIdentifier
    }

    /// The folder of this package's own programs: where the tests have been built, too.
    package static let folder: String = {
        let tests = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return tests.deletingLastPathComponent().path
    }()

    /// Runs a program beside `body`; ends it when `body` returns, by SIGTERM, then after 30 s by SIGKILL.
    ///
    /// - Parameters:
    ///   - executable: A name to look up in the `PATH`, or a path.
    ///   - environment: What is different from this process's environment; `nil` takes a variable away.
    /// - Returns: What `body` returned, and the exit code as a shell has it.
    @discardableResult
    package static func with<R: Sendable>(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String?] = [:],
        _ body: @Sendable (Program) async throws -> R
    ) async throws -> (result: R, exitCode: Int32) {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(30))]
        let updates = environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        let configuration = Configuration(
            executable: executable.contains("/") ? .path(FilePath(executable)) : .name(executable),
            arguments: Arguments(arguments),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: updates)),
            platformOptions: options
        )
        let teardown = options.teardownSequence
        let execution = try await run(configuration, input: .none, output: .sequence, error: .combinedWithOutput) { execution in
            let program = Program(processIdentifier: execution.processIdentifier.value)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        for try await line in execution.standardOutput.strings() {
                            program.lines.withLockedValue { $0.lines.append(line.trimmingCharacters(in: .newlines)) }
                        }
                    } catch {
                        // The program has ended, and what it had started still holds its output: no more will be read.
                    }
                    program.lines.withLockedValue { $0.hasEnded = true }
                }
                let result: Result<R, any Error>
                do { result = .success(try await body(program)) } catch { result = .failure(error) }
                await execution.teardown(using: teardown)
                try await group.waitForAll()
                return try result.get()
            }
        }
        let exitCode: Int32 =
            switch execution.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        return (execution.closureResult, exitCode)
    }

    /// Runs a program to its end.
    package static func output(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String?] = [:],
        within patience: Duration = .seconds(60)
    ) async throws -> (lines: [String], exitCode: Int32) {
        let (lines, exitCode) = try await Self.with(executable, arguments, environment: environment) { program in
            try await program.end(within: patience)
            return program.output
        }
        return (lines, exitCode)
    }

    /// What it has written so far, to standard output and standard error.
    package var output: [String] {
        self.lines.withLockedValue { $0.lines }
    }

    /// Whether it has closed its output, as at its end.
    package var hasEnded: Bool {
        self.lines.withLockedValue { $0.hasEnded }
    }

    /// Waits for a line that contains `text`, and returns it.
    package func line(containing text: String, within patience: Duration = .seconds(60)) async throws -> String {
        try await eventually(within: patience) {
            let (lines, hasEnded) = self.lines.withLockedValue { ($0.lines, $0.hasEnded) }
            if let line = lines.first(where: { $0.contains(text) }) { return line }
            if hasEnded {
                throw ProgramError(description: "It ended without saying “\(text)”:\n\(lines.joined(separator: "\n"))")
            }
            return nil
        }
    }

    /// Waits until the program has closed its output, and has ended: in between it must not be told to end, for that would be its exit code.
    package func end(within patience: Duration = .seconds(60)) async throws {
        do {
            try await eventually(within: patience) { self.hasEnded && self.hasExited ? () : nil }
        } catch {
            let state = self.hasEnded ? "has closed its output" : self.hasExited ? "has left its output to another" : "goes on"
            throw ProgramError(description: "\(error). It \(state):\n\(self.output.suffix(50).joined(separator: "\n"))")
        }
    }

    /// Looks without taking the exit code from who waits for it: <https://pubs.opengroup.org/onlinepubs/9799919799/functions/waitid.html>.
    private var hasExited: Bool {
        var state = siginfo_t()
        let answer = waitid(P_PID, id_t(self.processIdentifier), &state, WEXITED | WNOHANG | WNOWAIT)
        return answer != 0 || state.si_signo != 0
    }

    package func send(signal: Int32) {
        kill(self.processIdentifier, signal)
    }
}

package struct ProgramError: Error, CustomStringConvertible {
    package var description: String

    package init(description: String) {
        self.description = description
    }
}
