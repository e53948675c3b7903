import Foundation

/// A TCP socket as the kernel has it. <https://docs.kernel.org/networking/proc_net_tcp.html>
package struct TCPSocket: Sendable {
    package enum State: String, Sendable {
        case established = "01"
        case listening = "0A"
    }

    /// Address and port in hexadecimal digits: `0100007F:1F90`.
    package var local, remote: String
    /// Nil for the other states.
    package var state: State?
    package var inode: String

    package var remotePort: Int? { self.remote.split(separator: ":").last.flatMap { Int($0, radix: 16) } }

    /// All sockets of the network namespace that a process is in.
    package static func all(seenBy process: String = "self") throws -> [TCPSocket] {
        try ["tcp", "tcp6"].flatMap { try Self.all(in: "/proc/\(process)/net/\($0)") }
    }

    private static func all(in path: String) throws -> [TCPSocket] {
        // Where there is no IPv6.
        guard path.hasSuffix("tcp") || FileManager.default.fileExists(atPath: path) else { return [] }
        // A handle reads on to the end; `String(contentsOfFile:)` takes the first page of this file for all of it.
        let table = try FileHandle(forReadingFrom: URL(filePath: path)).readToEnd() ?? Data()
        return String(decoding: table, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ").map(String.init)
            guard columns.count > 9 else { return nil }
            return TCPSocket(local: columns[1], remote: columns[2], state: State(rawValue: columns[3]), inode: columns[9])
        }
    }
}
