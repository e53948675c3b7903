import ArgumentParser

/// How a command ends: one table for all of them, which the README repeats. Those from 64 on are `sysexits.h`'s.
enum ExitReason: Int32, CaseIterable, Sendable {
    case done = 0
    case failed = 1
    case problems = 2
    case tablesBehind = 3
    case tablesAhead = 4
    case warnings = 5
    case usage = 64
    case unreachable = 69
    case output = 74
    case refused = 77
    case settings = 78

    /// The line of the table.
    var meaning: String {
        switch self {
        case .done: "all is done, or all is well"
        case .failed: "it failed, and no other code says why"
        case .problems: "it ran to its end and found something wrong, or not all that was named could be done"
        case .tablesBehind: "the tables are older than this program: `s3file migrate`"
        case .tablesAhead: "the tables are newer than this program, or not its own: `s3file migrate status`"
        case .warnings: "`check` found nothing worse than warnings"
        case .usage: "the command line is wrong"
        case .unreachable: "Postgres or S3 cannot be reached, or asks to come back later"
        case .output: "what it has to say, or to keep, cannot be written: the disk is full, for one"
        case .refused: "Postgres or S3 refuses: rights, credentials, a wrong region, a missing bucket or database"
        case .settings: "a setting is missing or wrong"
        }
    }
}

extension ExitReason {
    /// For `throw`: ends the command with this status, and says nothing more.
    var exit: ExitCode { ExitCode(self.rawValue) }
}
