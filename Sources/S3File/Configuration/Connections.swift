import AsyncHTTPClient
import Foundation
package import Logging
package import NIOCore
package import Postgres
package import S3
import ServiceLifecycle
import Synchronization

/// Postgres and S3 as the configuration names them: what the web side, the workers and the command line all begin with.
package final class Connections: Service {
    package let configuration: S3FileConfiguration
    package let postgres: PostgresClient
    package let s3: S3Client
    package let queue: UploadQueue
    private let http: HTTPClient
    private let logger: Logger
    private let hasRun = Atomic(false)

    /// - Parameter eventLoop: does all I/O with S3; nil spreads it over those that there are.
    /// - Throws: ``ConfigurationError`` for an endpoint or a region that cannot be used.
    package init(configuration: S3FileConfiguration, on eventLoop: (any EventLoop)? = nil, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        // Before there is an HTTP client that would have to be shut down.
        var s3 = try S3Configuration(configuration)
        do {
            try s3.validate()
        } catch {
            throw ConfigurationError(error.message)
        }
        var http = S3Client.httpClientConfiguration()
        // A move in parts has four of them under way, and all the moves may be such: who waits for a connection fails after a while.
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = max(64, configuration.workerConcurrency * 5)
        self.http = HTTPClient(eventLoopGroupProvider: eventLoop.map { .shared($0) } ?? .singleton, configuration: http)
        let clock = ServerClock()
        if configuration.credentials == .standardChain {
            let transport = CredentialsTransport(httpClient: self.http, clock: clock)
            s3.credentials = RefreshingCredentials(
                CredentialsChain.standard(
                    environment: ProcessInfo.processInfo.environment,
                    region: configuration.region,
                    transport: transport
                ),
                logger: logger,
                now: { clock.now }
            )
        }
        self.s3 = S3Client(configuration: s3, httpClient: self.http, logger: logger, clock: clock)
        self.postgres = PostgresClient(
            configuration: PostgresConfiguration(url: configuration.databaseURL),
            logger: logger
        )
        self.queue = UploadQueue(client: self.postgres)
    }

    deinit {
        // Whoever fails between making and running must not be punished for a client that was never used.
        if !self.hasRun.load(ordering: .relaxed) { self.http.shutdown { _ in } }
    }

    /// Where to LISTEN.
    package var listening: PostgresConfiguration {
        var configuration = self.postgres.configuration
        if let url = self.configuration.listenURL { configuration.url = url }
        return configuration
    }

    /// Keeps the connections until shutdown, then closes them.
    package func run() async throws {
        self.hasRun.store(true, ordering: .relaxed)
        do {
            try await withThrowingDiscardingTaskGroup { group in
                if self.queue.metrics.isUsed {
                    group.addTask { await self.tellMetrics() }
                }
                defer { group.cancelAll() }
                try await self.postgres.run()
            }
        } catch {
            try? await self.http.shutdown()
            throw error
        }
        try await self.http.shutdown()
    }

    /// What stands still and is not counted as it happens.
    private func tellMetrics() async {
        let buckets: Set = [self.configuration.bucket, self.configuration.tmpBucket]
        await withDiscardingTaskGroup { group in
            group.addTask { await StoreGauges(self.s3, buckets: buckets).keepTelling() }
            group.addTask {
                var gauges = QueueGauges(queue: self.queue, logger: self.logger)
                await gauges.keepTelling()
            }
        }
    }

    /// Connections for the length of one piece of work, such as a command.
    package static func with<R: Sendable>(
        _ configuration: S3FileConfiguration,
        logger: Logger,
        _ body: (Connections) async throws -> R
    ) async throws -> R {
        let connections = try Connections(configuration: configuration, logger: logger)
        return try await connections.whileRunning { try await body(connections) }
    }
}

extension S3Configuration {
    /// Without given keys no credentials yet: whoever has an HTTP client brings the chain.
    ///
    /// - Throws: ``ConfigurationError`` for an addressing style that does not exist.
    package init(_ configuration: S3FileConfiguration) throws {
        self.init(
            endpoint: configuration.endpointURL,
            publicEndpoint: configuration.publicEndpointURL,
            region: configuration.region,
            credentials: configuration.credentials.given
        )
        switch configuration.addressing {
        case nil: break
        case "path": self.addressing = .path
        case "virtual-host": self.addressing = .virtualHost
        case .some(let other):
            throw ConfigurationError("S3FILE_ADDRESSING is \"\(other)\": set it to path or virtual-host")
        }
    }
}

extension S3FileConfiguration.Credentials {
    fileprivate var given: any S3CredentialsProvider {
        switch self {
        case .standardChain: CredentialsChain([])
        case .keys(let accessKeyID, let secretAccessKey, let sessionToken):
            StaticCredentials(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken)
        }
    }
}
