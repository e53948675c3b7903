public import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How log lines look: `S3FILE_LOG_FORMAT`.
public enum LogFormat: String, Sendable, CaseIterable {
    /// For people: swift-log's own.
    case text
    /// For programs: ``JSONLogHandler``.
    case json

    /// A logger that writes to standard error, so that standard output is a command's own answer.
    public func logger(label: String, level: Logger.Level) -> Logger {
        var logger = Logger(label: label) { label in
            switch self {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler(label: label)
            }
        }
        logger.logLevel = level
        return logger
    }

    /// A whole line at a time, so that those of several processes do not mix.
    public static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = write(2, rest.baseAddress, rest.count)
                // Nobody can be told that nothing can be told.
                guard count > 0 || (count < 0 && errno == EINTR) else { return }
                if count > 0 { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
            }
        }
    }
}
