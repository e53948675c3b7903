import Foundation
import TestEnvironment

/// A process's clock, which can be set wrong while it runs. What the process measures durations by stays right, as it does where a machine's
/// clock is set.
struct Clock: Sendable {
    /// Where it reads how wrong it is.
    private let file: String
    private let library: String
    /// Seconds by which it is wrong all along.
    private let skew: Int

    /// - Returns: nil where faketime is not installed.
    init?(file: String, skew: Int) throws {
        let root = "/usr/lib"
        let library = try FileManager.default.contentsOfDirectory(atPath: root)
            .map { "\(root)/\($0)/faketime/libfaketime.so.1" }.first { FileManager.default.fileExists(atPath: $0) }
        guard let library else { return nil }
        self.file = file
        self.library = library
        self.skew = skew
        try self.jump(by: 0)
    }

    /// The words before a command that give it this clock. By env, which becomes what it starts: a signal reaches it. The library makes itself at
    /// home in a first program and changes its environment, after which a program in Swift does not find its arguments any more: so that is an
    /// env as well.
    var words: [String] {
        [
            "env", "LD_PRELOAD=\(self.library)", "FAKETIME_TIMESTAMP_FILE=\(self.file)", "FAKETIME_CACHE_DURATION=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "env",
        ]
    }

    /// Away from where it is all along, within a second; 0 is back.
    func jump(by jump: Int) throws {
        let seconds = self.skew + jump
        try Data("\(seconds < 0 ? "" : "+")\(seconds)s\n".utf8).write(to: URL(fileURLWithPath: self.file), options: .atomic)
    }

    /// What the library leaves of a process that is killed, and would not start another of its number with.
    static func forget(_ processIdentifier: Int32) {
        for name in ["faketime_shm_\(processIdentifier)", "sem.faketime_sem_\(processIdentifier)"] {
            unlink("/dev/shm/\(name)")
        }
    }
}
