/// What keeps a command from its work and has no error of its own elsewhere: a sentence that names the remedy, and how the command ends.
struct CommandError: Error, CustomStringConvertible {
    var status: ExitReason
    var message: String

    init(_ status: ExitReason = .failed, _ message: String) {
        self.status = status
        self.message = message
    }

    var description: String { self.message }
}
