import Foundation
import ServiceLifecycle
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The command that a development server is for: an app, or a test run.
///
/// It gets a session of its own, so that Ctrl-C in the terminal reaches it once, in its turn, by us; and no standard input, which
/// it could not read without a terminal.
final class ChildProcess: Service {
    private let command: [String]
    private let environment: [String: String?]
    private let prerequisite: LoopbackPort?
    private let session = Mutex<ProcessSession?>(nil)
    private let status = Mutex<TerminationStatus?>(nil)

    /// - Parameters:
    ///   - command: A name to look up in the `PATH`, or a path, and its arguments; not empty.
    ///   - environment: What its environment has beyond ours, or lacks.
    ///   - prerequisite: What must answer before it starts.
    init(command: [String], environment: [String: String?], after prerequisite: LoopbackPort?) {
        self.command = command
        self.environment = environment
        self.prerequisite = prerequisite
    }

    /// As a shell has it; `nil` until it has ended by itself.
    var exitCode: Int32? {
        self.status.withLock { status in
            switch status {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            case nil: nil
            }
        }
    }

    func run() async throws {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(30))]
        let overrides = self.environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) }
        let name = self.command[0]
        let configuration = Configuration(
            executable: name.contains("/") ? .path(FilePath(name)) : .name(name),
            arguments: Arguments(Array(self.command.dropFirst())),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: overrides)),
            platformOptions: options
        )
        let result: Result<Void, any Error>
        do {
            try await cancelWhenGracefulShutdown {
                try await self.prerequisite?.answers()
                let run = try await Subprocess.run(
                    configuration,
                    input: .none,
                    output: .currentStandardOutput,
                    error: .currentStandardError
                ) { execution in
                    self.session.withLock { $0 = ProcessSession(leader: execution.processIdentifier.value) }
                }
                guard !Task.isCancelled else { return }
                self.status.withLock { $0 = run.terminationStatus }
            }
            result = .success(())
        } catch is CancellationError {
            result = .success(())
        } catch let error as SubprocessError {
            result = .failure(DevelopmentError(code: .commandFailed, message: "Cannot run `\(name)`: \(error)"))
        }
        // What it has started and left behind must not outlive us.
        await self.session.withLock { $0 }?.end()
        try result.get()
    }
}
