import Foundation

/// A Postgres that outlived the `s3file dev` that started it (`kill -9`, a crash).
///
/// Whoever asks holds the folder's lock, so a server found here has no owner.
struct LeftoverPostgres: Sendable {
    let data: String
    private let process: pid_t

    private static func lockFile(in data: String) -> String { data + "/postmaster.pid" }

    init?(in data: String) {
        guard let lines = try? String(contentsOfFile: Self.lockFile(in: data), encoding: .utf8),
            let process = lines.split(separator: "\n").first.flatMap({ pid_t($0) }), process > 1
        else { return nil }
        self.data = data
        self.process = process
    }

    /// Ends the server by a fast shutdown, so that nothing committed is lost and nothing needs recovery.
    ///
    /// Two servers on one data folder would destroy it. One whose process is gone leaves its lock file behind, in which a process
    /// number may since belong to somebody else: then nobody is signalled, and the file is removed.
    func stop() async throws {
        for (signal, patience) in [(SIGINT, Duration.seconds(20)), (SIGQUIT, .seconds(10))] {
            guard self.isRunning else { break }
            kill(self.process, signal)
            let deadline = ContinuousClock.now + patience
            while self.isRunning, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        guard !self.isRunning else {
            throw DevelopmentError(
                code: .postgresFailed,
                message: "A Postgres left over in \(self.data) (process \(self.process)) does not stop: end it, then start again."
            )
        }
        unlink(Self.lockFile(in: self.data))
    }

    /// A server's working folder is its data folder, which tells it from a stranger with a recycled process number.
    private var isRunning: Bool {
        #if os(Linux)
            guard let folder = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(self.process)/cwd") else {
                return false
            }
            return folder == self.data
        #else
            return kill(self.process, 0) == 0
        #endif
    }
}
