import Foundation

/// An nginx of a test's own in front of an HTTP server, as a proxy that buffers.
package enum Nginx {
    /// - Parameters:
    ///   - port: Of the server behind it, on 127.0.0.1.
    ///   - settings: What stands in its `location` besides.
    ///   - server: What stands in its `server` besides.
    ///   - certificates: With them it speaks TLS.
    ///   - body: Is given the port of the proxy.
    package static func with<R: Sendable>(
        toPort port: Int,
        settings: String = "",
        server: String = "",
        certificates: TestCertificates? = nil,
        _ body: @Sendable (Int) async throws -> R
    ) async throws -> R {
        try await ServerUser.withFolder { folder in
            let own = try unusedPort()
            let tls = certificates.map { "ssl_certificate \($0.certificate); ssl_certificate_key \($0.key);" }
            try ServerUser.write(
                """
                daemon off;
                worker_processes 1;
                pid \(folder)/pid;
                error_log stderr notice;
                events { worker_connections 512; }
                http {
                    access_log off;
                    client_body_temp_path \(folder)/body;
                    proxy_temp_path \(folder)/proxy;
                    fastcgi_temp_path \(folder)/fastcgi;
                    uwsgi_temp_path \(folder)/uwsgi;
                    scgi_temp_path \(folder)/scgi;
                    server {
                        listen 127.0.0.1:\(own)\(tls == nil ? "" : " ssl");
                        \(tls ?? "")
                        \(server)
                        location / {
                            proxy_pass http://127.0.0.1:\(port);
                            proxy_buffering on;
                            \(settings)
                        }
                    }
                }

                """,
                to: folder + "/nginx.conf"
            )
            // Debian keeps it in a folder that is not on everybody's PATH.
            let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin"
            let words = ServerUser.prefix + ["nginx", "-e", "stderr", "-p", folder, "-c", folder + "/nginx.conf"]
            return try await Program.with(words[0], Array(words.dropFirst()), environment: ["PATH": path]) { program in
                _ = try await program.line(containing: "start worker process")
                return try await body(own)
            }.result
        }
    }
}
