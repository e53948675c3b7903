import Foundation

/// A pgbouncer of a test's own in front of a Postgres, in transaction mode.
package enum Pgbouncer {
    /// - Parameters:
    ///   - url: The database behind it, by TCP.
    ///   - serverConnections: How many it opens to Postgres at most, for however many clients.
    ///   - body: Is given the same database's URL by way of the pooler.
    package static func with<R: Sendable>(
        to url: String,
        serverConnections: Int = 2,
        _ body: @Sendable (String) async throws -> R
    ) async throws -> R {
        guard let server = HostAndPort(url), let parts = URLComponents(string: url) else {
            throw ProgramError(description: "pgbouncer needs a URL with host and port")
        }
        return try await ServerUser.withFolder { folder in
            let port = try unusedPort()
            let password = parts.password.map { " password='\($0)'" } ?? ""
            try ServerUser.write(
                """
                [databases]
                * = host=\(server.host) port=\(server.port) user=\(parts.user ?? "postgres")\(password)

                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = \(port)
                unix_socket_dir =
                auth_type = any
                pool_mode = transaction
                default_pool_size = \(serverConnections)
                max_client_conn = 100

                """,
                to: folder + "/pgbouncer.ini"
            )
            // Debian keeps it in a folder that is not on everybody's PATH.
            let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin"
            let words = ServerUser.prefix + ["pgbouncer", folder + "/pgbouncer.ini"]
            let pooled = url.replacing(server.description, with: "127.0.0.1:\(port)")
            return try await Program.with(words[0], Array(words.dropFirst()), environment: ["PATH": path]) { program in
                _ = try await program.line(containing: "process up")
                return try await body(pooled)
            }.result
        }
    }
}
