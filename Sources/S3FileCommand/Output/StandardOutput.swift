import ArgumentParser
import Foundation

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Where a command's answer goes, and nothing but the answer. `print` would keep lines in a buffer, and say nothing when they cannot be written.
enum StandardOutput {
    /// - Throws: ``OutputError`` when it cannot be written, as to a full disk.
    static func line(_ text: String) throws {
        try Self.write(text + "\n")
    }

    /// One document on one line: what `jq` and a loop over lines both read.
    static func json(_ document: some Encodable) throws {
        try Self.write(String(decoding: try JSON.encode(document), as: UTF8.self) + "\n")
    }

    static func write(_ text: String) throws {
        do {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        } catch Errno.brokenPipe {
            // Whoever read has seen enough, as `head` has. What the signal, which is ignored here, would have the shell see.
            throw ExitCode(128 + SIGPIPE)
        } catch {
            throw OutputError(reason: "\(error)")
        }
    }
}

/// A sentence on standard error: what an answer does not hold.
enum StandardError {
    static func line(_ text: String) {
        // There is nobody left to tell when this fails.
        _ = try? FileDescriptor.standardError.writeAll((text + "\n").utf8)
    }
}

/// The answer could not be written.
struct OutputError: Error, CustomStringConvertible {
    var reason: String

    var description: String { "The answer cannot be written (\(self.reason)): make room, or send it elsewhere" }
}
