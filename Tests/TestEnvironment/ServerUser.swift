import Foundation

/// The system user that Postgres and pgbouncer run as: `postgres` when we are root, whom both refuse, else whoever we are.
package enum ServerUser {
    /// The words before a command that make it run as the user.
    package static let prefix: [String] =
        geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] : ["env", "--"]

    /// Gives `path` to the user.
    private static func own(_ path: String, permissions: mode_t = 0o700) throws {
        if geteuid() == 0 {
            guard let entry = getpwnam("postgres"), chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
                throw ProgramError(description: "\(path) cannot be given to the user postgres")
            }
        }
        guard chmod(path, permissions) == 0 else { throw ProgramError(description: "The mode of \(path) cannot be changed") }
    }

    /// A file of the user's own, closed to others.
    package static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try Self.own(path, permissions: 0o600)
    }

    /// A folder that the user owns and can reach, removed with all that is in it. ``withTemporaryFolder(_:)`` makes one that only we can enter.
    ///
    /// - Parameter parent: where it is; among temporary files unless it is said.
    package static func withFolder<R>(in parent: String? = nil, _ body: (String) async throws -> R) async throws -> R {
        let path = (parent ?? FileManager.default.temporaryDirectory.path) + "/s3file-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Self.own(path)
        return try await body(path)
    }

    /// Runs a program to its end as the user, and throws when it fails.
    @discardableResult
    package static func run(_ program: String, _ arguments: [String]) async throws -> [String] {
        let words = Self.prefix + [program] + arguments
        let (lines, exitCode) = try await Program.output(words[0], Array(words.dropFirst()), environment: ["LC_ALL": "C"])
        guard exitCode == 0 else {
            throw ProgramError(description: "\(program) ended with \(exitCode):\n\(lines.joined(separator: "\n"))")
        }
        return lines
    }
}

/// A port of 127.0.0.1 that nobody listened on a moment ago, outside those that outgoing connections take.
package func unusedPort() throws -> Int {
    for _ in 0..<100 {
        let port = UInt16.random(in: 10_000..<30_000)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if bound { return Int(port) }
    }
    throw ProgramError(description: "There is no unused port")
}
