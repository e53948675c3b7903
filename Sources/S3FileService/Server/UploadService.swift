import Hummingbird
package import Logging
import NIOCore
import NIOPosix
package import S3File
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The web side as a service of its own, for apps that are not written in Swift: what browsers need at `/s3file`, to be passed on by the app's
/// web server, and at `/v1` the app's own API, with keys.
package struct UploadService: Service {
    private let uploads: Uploads
    private let configuration: ServiceConfiguration
    private let logger: Logger
    private let onListening: @Sendable (Int?) -> Void

    /// - Parameter onListening: told the port, once it is known; `nil` for a socket.
    /// - Throws: ``ConfigurationError``.
    package init(
        uploads: Uploads,
        configuration: ServiceConfiguration,
        logger: Logger,
        onListening: @escaping @Sendable (Int?) -> Void = { _ in }
    ) throws(ConfigurationError) {
        self.uploads = uploads
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown: nothing new is taken then, what is being served is finished, and the database goes last.
    ///
    /// - Throws: ``ConfigurationError`` when it cannot listen; what `Uploads.run` throws.
    package func run() async throws {
        let socket: SocketFile?
        let address: BindAddress
        switch self.configuration.address {
        case .host(let host, let port): (socket, address) = (nil, .hostname(host, port: port))
        case .socket(let path):
            let file = try SocketFile(path: path)
            (socket, address) = (file, .unixDomainSocket(path: file.hiddenPath))
        }
        if !self.configuration.address.isLocal {
            self.logger.warning(
                "Other machines can reach this, and API keys travel as they are: put TLS in front, and let nobody but the app to /v1",
                metadata: ["s3file.address": "\(self.configuration.address)"]
            )
        }
        let (problems, problem) = AsyncThrowingStream.makeStream(of: Never.self)
        let application = self.application(at: address) { channel in
            do {
                try socket?.place()
                self.announce(port: channel.localAddress?.port)
            } catch {
                problem.finish(throwing: error)
            }
        }
        defer { socket?.remove() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run() }
                // Nothing comes of it but an error.
                group.addTask { for try await _ in problems {} }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            throw Self.explained(error, at: self.configuration.address)
        }
    }

    private func application(
        at address: BindAddress,
        onListening: @escaping @Sendable (any Channel) -> Void
    ) -> some ApplicationProtocol {
        // The framework says at info where it listens, and more at each request; this says it once, in its own words.
        var logger = self.logger
        logger.logLevel = max(self.logger.logLevel, .notice)
        var application = Application(
            router: ServiceRouter(uploads: self.uploads, configuration: self.configuration).router(),
            server: .http1(configuration: .init(idleTimeout: .seconds(75))),
            configuration: ApplicationConfiguration(address: address),
            onServerRunning: { onListening($0) },
            logger: logger
        )
        application.addServices(self.uploads)
        return application
    }

    private func announce(port: Int?) {
        self.onListening(port)
        var place = self.configuration.address
        if case .host(let host, _) = place, let port { place = .host(host, port: port) }
        self.logger.notice("Serving", metadata: ["s3file.address": "\(place)"])
    }

    private static func explained(_ error: any Error, at address: ListenAddress) -> any Error {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            ConfigurationError("\(address) is in use: stop what listens there, or say --port or --socket for another place")
        case EACCES:
            ConfigurationError("\(address) may not be opened by this user: choose another place, such as a port above 1023")
        case EADDRNOTAVAIL: ConfigurationError("\(address) is no address of this machine: correct --host")
        case ENOENT: ConfigurationError("\(address) lies in a folder that is not there: make it first")
        default: error
        }
    }
}
