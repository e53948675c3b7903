import Foundation
import Synchronization

/// One line on standard error that says how far long work is: on a terminal only, at most ten times a second, and gone at the end.
///
///     try await ProgressLine.with { progress in
///         for try await page in pages { progress.show("\(listed) objects listed") }
///     }
final class ProgressLine: Sendable {
    private struct State {
        var shownAt: ContinuousClock.Instant?
        var width = 0
        var hasEnded = false
    }

    private let terminal: Terminal?
    private let write: @Sendable (String) -> Void
    private let state = Mutex(State())

    init(
        terminal: Terminal? = Terminal(STDERR_FILENO),
        write: @escaping @Sendable (String) -> Void = { _ = try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) }
    ) {
        self.terminal = terminal
        self.write = write
    }

    /// A line for as long as `body` works, erased also when it throws.
    static func with<R>(_ body: (ProgressLine) async throws -> R) async rethrows -> R {
        let progress = ProgressLine()
        defer { progress.end() }
        return try await body(progress)
    }

    /// Shows the text in place of the one before, unless that has been there for less than a tenth of a second.
    func show(_ text: @autoclosure () -> String, now: ContinuousClock.Instant = .now) {
        guard let terminal else { return }
        let due = self.state.withLock { state in
            guard !state.hasEnded, state.shownAt.map({ now - $0 >= .milliseconds(100) }) ?? true else { return false }
            state.shownAt = now
            return true
        }
        guard due else { return }
        // The last column stays free: a terminal that has just filled it may be on the next line already.
        let line = String(text().filter { !$0.isNewline && $0 != "\u{1B}" }.prefix(terminal.columns - 1))
        self.state.withLock { state in
            guard !state.hasEnded else { return }
            let padding = String(repeating: " ", count: max(0, state.width - line.count))
            // Back at the first column, so that a line of the log takes this one's place.
            self.write(terminal.takesEscapes ? "\r\u{1B}[K\(line)\r" : "\r\(line)\(padding)\r")
            state.width = line.count
        }
    }

    /// Erases it, so that something else can be written.
    func clear() {
        self.state.withLock { self.erase(&$0) }
    }

    /// Erases it. What is shown after is not.
    func end() {
        self.state.withLock { state in
            self.erase(&state)
            state.hasEnded = true
        }
    }

    private func erase(_ state: inout State) {
        if let terminal, state.width > 0 {
            self.write(terminal.takesEscapes ? "\r\u{1B}[K" : "\r" + String(repeating: " ", count: state.width) + "\r")
        }
        state.width = 0
        state.shownAt = nil
    }
}
