import Foundation
import HTTPTypes
import Hummingbird
package import Logging
import NIOCore
import NIOPosix
import S3
import ServiceLifecycle
import NIOConcurrencyHelpers

/// S3 on a folder, for development and tests: the operations, checks and error codes of S3 that this project and its users
/// meet, on loopback, with one access key.
package final class S3DevServer: Service {
    private let configuration: S3DevServerConfiguration
    private let logger: Logger
    private let port = PortPromise()

    /// - Throws: ``S3DevServerError`` in production, for a host that is not loopback, and for settings that cannot work.
    package init(configuration: S3DevServerConfiguration, logger: Logger) throws {
        try configuration.validate()
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// - Throws: ``S3DevServerError`` when the port is in use or the folder cannot be used.
    package func run() async throws {
        do {
            try await self.serve()
            self.port.fail(CancellationError())
        } catch {
            self.port.fail(error)
            throw error
        }
    }

    /// The port the server listens on, once it does. Throws what ``run()`` throws when it never will.
    package func boundPort() async throws -> Int {
        try await self.port.value()
    }

    private func serve() async throws {
        let pool = NIOThreadPool(numberOfThreads: Disk.threads)
        pool.start()
        let result: Result<Void, any Error>
        do {
            result = .success(try await self.serve(with: pool))
        } catch {
            result = .failure(error)
        }
        try await pool.shutdownGracefully()
        try result.get()
    }

    private func serve(with pool: NIOThreadPool) async throws {
        let configuration = self.configuration
        let logger = self.logger
        let store = try await pool.runIfActive {
            let store = try Store(
                directory: configuration.directory,
                synchronizes: configuration.synchronizesFiles,
                now: configuration.now,
                age: configuration.age,
                journal: try configuration.journal.map { try StoreJournal(path: $0) },
                logger: logger
            )
            for bucket in configuration.buckets {
                _ = try store.createBucket(bucket)
            }
            return store
        }
        // Hummingbird says at info where it listens; whoever starts this server says so in its own words.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .notice)
        let port = self.port
        let application = Application(
            responder: S3Responder(
                operations: Operations(configuration: configuration, disk: Disk(store: store, pool: pool)),
                logger: logger
            ),
            server: .http1(configuration: .init(additionalChannelHandlers: [ContinueHandler()])),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "S3DevServer"
            ),
            onServerRunning: { channel in
                port.succeed(channel.localAddress?.port ?? configuration.port)
            },
            logger: serverLogger
        )
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw S3DevServerError(
                .portInUse,
                "Port \(configuration.port) on \(configuration.host) is in use; stop what listens there or choose another port."
            )
        } catch let error as IOError where error.errnoCode == EACCES {
            throw S3DevServerError(
                .portInUse,
                "Port \(configuration.port) on \(configuration.host) may not be opened by this user; choose one above 1023."
            )
        }
    }
}

/// A port number that is known later.
private final class PortPromise: Sendable {
    private struct State {
        var result: Result<Int, any Error>?
        var waiters: [CheckedContinuation<Int, any Error>] = []
    }

    private let state = NIOLockedValueBox(State())

    func succeed(_ port: Int) {
        self.settle(.success(port))
    }

    func fail(_ error: any Error) {
        self.settle(.failure(error))
    }

    private func settle(_ result: Result<Int, any Error>) {
        let waiters = self.state.withLockedValue { state in
            guard state.result == nil else {
                return [CheckedContinuation<Int, any Error>]()
            }
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters {
            waiter.resume(with: result)
        }
    }

    func value() async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            let result = self.state.withLockedValue { state in
                if state.result == nil {
                    state.waiters.append(continuation)
                }
                return state.result
            }
            if let result {
                continuation.resume(with: result)
            }
        }
    }
}
