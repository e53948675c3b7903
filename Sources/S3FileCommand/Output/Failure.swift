import ArgumentParser
import Foundation
import Postgres
import S3
import S3File

/// Any error as the command line tells it: one sentence without secrets on standard error, and an exit code.
struct Failure: Sendable, Equatable {
    var sentence: String
    var status: ExitReason

    /// `nil` for what ArgumentParser tells by itself: a wrong command line, a request for help, and an exit code that was thrown.
    init?(ending error: any Error) {
        switch error {
        case is ExitCode, is ValidationError, is CleanExit: return nil
        // Of its parser, which has no type that others can name.
        case _ where S3FileCommand.exitCode(for: error) != .failure: return nil
        default: self.init(error)
        }
    }

    init(_ error: any Error) {
        self.status = ExitReason(of: error)
        let text =
            switch error {
            case let error as PostgresError where self.status == .tablesBehind:
                "The tables are not those of this program (\(error)): run s3file migrate, and s3file migrate status to see how they differ"
            case let error as PostgresError where error.sqlState == "42501":
                "Postgres refuses: \(error). Use a role that may, or grant it s3file_web or s3file_worker"
            case let error as PostgresError where error.sqlState == "53100":
                "Postgres has no room left on its disk (\(error)): make some, and run this again"
            case let error as PostgresError where error.isAboutConnecting:
                "\(error): check DATABASE_URL"
            default:
                "\(error)"
            }
        self.sentence = Secrets.struckOut(of: Self.oneLine(text))
    }

    /// Errors come from libpq, servers and stores, with line breaks and with or without a full stop.
    private static func oneLine(_ text: String) -> String {
        let words = text.split { $0.isWhitespace || $0.isNewline }.joined(separator: " ")
        let bounded = words.count > 1_000 ? words.prefix(1_000) + "…" : words[...]
        return bounded.hasSuffix(".") || bounded.hasSuffix("]") ? String(bounded) : bounded + "."
    }
}

extension ExitReason {
    /// The status of an error that ends a command.
    init(of error: any Error) {
        switch error {
        case let error as CommandError: self = error.status
        case let error as DevelopmentError: self = error.code == .folderNotWritable ? .output : .failed
        case is ConfigurationError: self = .settings
        case let error as SchemaError: self = error.code == .programTooOld ? .tablesAhead : .tablesBehind
        case let error as MigrationError: self = .init(error)
        case let error as PostgresError: self = .init(error)
        case let error as S3Error: self = .init(error)
        case is CredentialsError: self = .refused
        case is OutputError: self = .output
        case let error as CocoaError where error.code == .fileWriteOutOfSpace: self = .output
        default: self = .failed
        }
    }

    private init(_ error: PostgresError) {
        switch error.code {
        case .configuration: self = .settings
        case .connection, .timeout, .closed: self = error.isRefusal ? .refused : .unreachable
        default:
            self =
                error.isAboutTables ? .tablesBehind : error.isRefusal ? .refused : error.isPassing ? .unreachable : .failed
        }
    }

    private init(_ error: MigrationError) {
        switch error.code {
        case .olderDatabase: self = .tablesBehind
        case .newerDatabase, .edited, .outOfOrder, .unrecorded, .notThere: self = .tablesAhead
        case .invalidTarget: self = .usage
        case .busy: self = .unreachable
        default: self = error.underlying.map { ExitReason($0) } ?? .failed
        }
    }

    private init(_ error: S3Error) {
        switch error.code {
        case .configuration: self = .settings
        case .credentialsUnavailable: self = .refused
        case .connectionFailed, .connectionLost, .timedOut, .tooManyWaiting: self = .unreachable
        case .outcomeUnknown: self = .unreachable
        default: self = error.retryable ? .unreachable : error.isRefusal ? .refused : .failed
        }
    }
}

extension PostgresError {
    /// The server knows us and says no, or does not have the database. <https://www.postgresql.org/docs/15/errcodes-appendix.html>
    fileprivate var isRefusal: Bool {
        guard let sqlState = self.sqlState else { return false }
        return sqlState.hasPrefix("28") || sqlState == "3D000" || sqlState == "42501"
    }

    /// A table, column, function or schema of ours is not there.
    fileprivate var isAboutTables: Bool {
        ["42P01", "42703", "42883", "3F000"].contains(self.sqlState)
    }

    /// It shuts down, starts, is read-only, or has no room for more.
    fileprivate var isPassing: Bool {
        guard let sqlState = self.sqlState else { return false }
        return ["08", "53", "57"].contains { sqlState.hasPrefix($0) } || sqlState == "25006"
    }

    fileprivate var isAboutConnecting: Bool {
        self.code == .connection && !self.message.contains("DATABASE_URL")
    }
}

extension S3Error {
    /// The store knows what we want and says no.
    fileprivate var isRefusal: Bool {
        switch self.code {
        case .noSuchBucket, .permanentRedirect, .temporaryRedirect, .authorizationHeaderMalformed, .expiredToken, .invalidToken,
            .tokenRefreshRequired, .invalidAccessKeyID, .signatureDoesNotMatch, .requestTimeTooSkewed, .accessDenied:
            true
        default: self.region != nil || self.status == 401 || self.status == 403 || (300..<400).contains(self.status)
        }
    }
}
