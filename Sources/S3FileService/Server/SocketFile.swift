import S3File

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The file of a Unix socket. What listens there is found out before it is taken, and what may connect is said before anybody can.
enum SocketFile {
    /// Read and write for its user and group: connecting is writing.
    static let mode: mode_t = 0o660

    /// Removes the socket of a process that has ended.
    ///
    /// - Throws: ``ConfigurationError`` when something else is there, or somebody still listens.
    static func clear(_ path: String) throws(ConfigurationError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw ConfigurationError("--socket \(path): \(Self.reason()); check the folder and its rights") }
            return
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ConfigurationError("--socket \(path): a file that is no socket is there; remove it, or name another path")
        }
        guard !Self.answers(path) else {
            throw ConfigurationError("--socket \(path): another process listens there; stop it first, or name another path")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ConfigurationError("--socket \(path): \(Self.reason()); the old socket cannot be removed")
        }
    }

    /// Files are made with these rights until the result is called: a socket's are decided when it is bound, and a moment later is too late.
    static func limitRights() -> @Sendable () -> Void {
        let before = umask(0o777 & ~Self.mode)
        return { _ = umask(before) }
    }

    private static func answers(_ path: String) -> Bool {
        #if canImport(Glibc) || canImport(Musl)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return false }
        defer { _ = close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN: somebody listens, with a full queue.
        return result == 0 || errno == EAGAIN
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
