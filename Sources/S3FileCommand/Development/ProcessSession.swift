import Foundation

/// The processes that a command has started, and they in turn, as far as they stayed in its session.
///
/// Their group would not do: `swift test`, for one, gives the tests a group of their own and leaves them behind on SIGTERM.
struct ProcessSession: Sendable {
    /// The command's process number; it was started as a session's leader.
    let leader: pid_t

    /// Ends what is left of the session: asks, so that each can end its own children in order, and after a while insists.
    func end(patience: Duration = .seconds(20)) async {
        // Also when the caller was cancelled, and sleeping would end at once.
        await Task {
            for (signal, patience) in [(SIGTERM, patience), (SIGKILL, .seconds(5))] {
                kill(-self.leader, signal)
                self.members.forEach { kill($0, signal) }
                let deadline = ContinuousClock.now + patience
                while !self.members.isEmpty, ContinuousClock.now < deadline {
                    try? await Task.sleep(for: .milliseconds(20))
                }
                if self.members.isEmpty { return }
            }
        }.value
    }

    /// Where there is no `/proc`, the group is all that can be reached.
    private var members: [pid_t] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
        return processes.filter { process in
            // `pid (name) state ppid pgrp session …`, and the name may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
            guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let name = stat.lastIndex(of: ")")
            else { return false }
            let fields = stat[stat.index(after: name)...].split(separator: " ")
            return fields.count > 3 && fields[0] != "Z" && fields[3] == "\(self.leader)"
        }
    }
}
