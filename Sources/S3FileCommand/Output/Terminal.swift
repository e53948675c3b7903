import Foundation

/// What a person sees standard error, or standard output, on.
struct Terminal: Sendable {
    var columns: Int
    /// Understands escape sequences, and the person has not asked to be spared: <https://no-color.org>
    var takesEscapes: Bool

    /// `nil` when it is no terminal.
    init?(_ descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard isatty(descriptor) == 1 else { return nil }
        var size = winsize()
        let known = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        self.columns = known ? Int(size.ws_col) : 80
        self.takesEscapes = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    init(columns: Int, takesEscapes: Bool) {
        self.columns = columns
        self.takesEscapes = takesEscapes
    }
}
