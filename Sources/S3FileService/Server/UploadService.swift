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
        var release: (@Sendable () -> Void)?
        var address = BindAddress.hostname()
        switch self.configuration.address {
        case .host(let host, let port): address = .hostname(host, port: port)
        case .socket(let path):
            try SocketFile.clear(path)
            release = SocketFile.limitRights()
            address = .unixDomainSocket(path: path)
        }
        if !self.configuration.address.isLocal {
            self.logger.warning(
                "Other machines can reach this, and API keys travel as they are: put TLS in front, and let nobody but the app to /v1",
                metadata: ["s3file.address": "\(self.configuration.address)"]
            )
        }
        // The framework says at info where it listens, and more at each request; this says it once, in its own words.
        var frameworkLogger = self.logger
        frameworkLogger.logLevel = max(self.logger.logLevel, .notice)
        let (logger, configuration, onListening, released) = (self.logger, self.configuration, self.onListening, release)
        var application = Application(
            router: ServiceRouter(uploads: self.uploads, configuration: self.configuration).router(),
            server: .http1(configuration: .init(idleTimeout: .seconds(75))),
            configuration: ApplicationConfiguration(address: address),
            onServerRunning: { channel in
                released?()
                let port = channel.localAddress?.port
                onListening(port)
                var place = configuration.address
                if case .host(let host, _) = place, let port { place = .host(host, port: port) }
                logger.notice("Serving", metadata: ["s3file.address": "\(place)"])
            },
            logger: frameworkLogger
        )
        application.addServices(self.uploads)
        do {
            try await application.run()
        } catch {
            release?()
            throw Self.explained(error, at: self.configuration.address)
        }
        if case .socket(let path) = self.configuration.address { unlink(path) }
    }

    private static func explained(_ error: any Error, at address: ListenAddress) -> any Error {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: ConfigurationError("\(address) is in use: stop what listens there, or say --port or --socket for another place")
        case EACCES: ConfigurationError("\(address) may not be opened by this user: choose another place, such as a port above 1023")
        case EADDRNOTAVAIL: ConfigurationError("\(address) is no address of this machine: correct --host")
        case ENOENT: ConfigurationError("\(address) lies in a folder that is not there: make it first")
        default: error
        }
    }
}
