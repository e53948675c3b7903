package import S3File

/// Where the service listens: on this machine alone, unless somebody said otherwise in so many words.
package enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    case host(String, port: Int)
    /// A socket that its user and group may connect to.
    case socket(path: String)

    package static let usualHost = "127.0.0.1"
    package static let usualPort = 8080
    private static let longestSocketPath = SocketFile.longestPath

    /// - Parameters:
    ///   - host: said by `--host` alone, and by no setting that may be meant for another program.
    ///   - port: `S3FILE_PORT`.
    ///   - socket: `S3FILE_SOCKET`.
    /// - Throws: ``ConfigurationError``.
    package init(host: String?, port: String?, socket: String?) throws(ConfigurationError) {
        if let socket {
            guard host == nil else {
                throw ConfigurationError("--host and --socket are two places to listen at: say one of them")
            }
            // It is bound in a folder beside its place.
            let folder = socket.lastIndex(of: "/").map { socket[..<$0].utf8.count } ?? 1
            guard (1...Self.longestSocketPath).contains(socket.utf8.count), !socket.utf8.contains(0), !socket.hasSuffix("/"),
                folder + SocketFile.longestName <= Self.longestSocketPath
            else {
                throw ConfigurationError(
                    "--socket must be a path of 1 to \(Self.longestSocketPath) bytes, such as /run/s3file/s3file.sock"
                )
            }
            self = .socket(path: socket)
            return
        }
        let host = host ?? Self.usualHost
        guard !host.isEmpty, host.utf8.count <= 255, !host.contains(where: \.isWhitespace) else {
            throw ConfigurationError("--host must be a name or an address, such as 0.0.0.0")
        }
        let port = port ?? String(Self.usualPort)
        guard let number = Int(port), (0...65_535).contains(number) else {
            throw ConfigurationError("S3FILE_PORT must be a number between 0 and 65535")
        }
        self = .host(host, port: number)
    }

    /// Whether only this machine can reach it.
    package var isLocal: Bool {
        switch self {
        case .socket: true
        case .host(let host, _): host == "localhost" || host == "::1" || host.wholeMatch(of: /127(\.[0-9]{1,3}){3}/) != nil
        }
    }

    package var description: String {
        switch self {
        case .socket(let path): "unix:\(path)"
        case .host(let host, let port): "http://" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        }
    }
}
