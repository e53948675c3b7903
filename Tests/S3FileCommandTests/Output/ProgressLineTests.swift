import Foundation
import Synchronization
import Testing

@testable import S3FileCommand

@Suite struct ProgressLineTests {
    /// What a terminal would have been sent.
    private final class Screen: Sendable {
        let text = Mutex("")

        func line(_ terminal: Terminal?) -> ProgressLine {
            ProgressLine(terminal: terminal) { written in self.text.withLock { $0 += written } }
        }

        var written: String { self.text.withLock { $0 } }
    }

    @Test func `it is shown ten times a second at most, and erased at the end`() {
        let screen = Screen()
        let progress = screen.line(Terminal(columns: 80, takesEscapes: true))
        let start = ContinuousClock.now
        progress.show("1 listed", now: start)
        progress.show("2 listed", now: start + .milliseconds(99))
        progress.show("3 listed", now: start + .milliseconds(100))
        progress.end()
        progress.show("4 listed", now: start + .seconds(9))
        #expect(screen.written == "\r\u{1B}[K1 listed\r\r\u{1B}[K3 listed\r\r\u{1B}[K")
    }

    @Test func `without escapes it is written over, and erased with spaces`() {
        let screen = Screen()
        let progress = screen.line(Terminal(columns: 80, takesEscapes: false))
        let start = ContinuousClock.now
        progress.show("100 listed", now: start)
        progress.show("9 left", now: start + .seconds(1))
        progress.end()
        #expect(screen.written == "\r100 listed\r\r9 left    \r\r      \r")
        #expect(!screen.written.contains("\u{1B}"))
    }

    @Test func `it never wraps, and takes no escapes from what it shows`() {
        let screen = Screen()
        screen.line(Terminal(columns: 10, takesEscapes: true)).show("\u{1B}]a\nbcdefghijklm")
        #expect(screen.written == "\r\u{1B}[K]abcdefgh\r")
    }

    @Test func `nothing is written where there is no terminal`() {
        let screen = Screen()
        let progress = screen.line(nil)
        progress.show("1 listed")
        progress.end()
        #expect(screen.written.isEmpty)
    }
}
