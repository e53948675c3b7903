public import Logging
import NIOPosix
import S3
public import S3File
public import ServiceLifecycle

/// A process's workers: they drain the upload table, and keep house.
///
/// Run as many processes as you like; Postgres divides the work. On a graceful shutdown claims stop at once, moves in flight have
/// ``Options/drainTimeout`` to end, and what is left is given back to the queue without costing an attempt.
///
/// ```swift
/// let pool = try WorkerPool(configuration: configuration, logger: logger)
/// try await ServiceGroup(services: [pool], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
/// ```
public final class WorkerPool: Service {
    /// How the pool works.
    public struct Options: Sendable {
        /// How often the table is looked at when nobody wakes the pool.
        public var pollInterval = Duration.seconds(1)
        /// How long moves in flight may take after a shutdown was asked for.
        public var drainTimeout = Duration.seconds(20)
        /// How often stale tmp objects are looked for, by one process of all.
        public var sweepInterval = Duration.seconds(3600)
        /// Bytes above which a copy is made in parts: 5 GB on AWS.
        /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>
        public var copyLimit: Int64 = 5_000_000_000

        /// The options of `s3file worker`.
        public init() {}
    }

    private let options: Options
    private let logger: Logger
    private let connections: Connections
    private let work: any StoreWork
    private let executor: EventLoopTaskExecutor?
    private let metrics = WorkerMetrics()
    private let spans = SpanSource()
    private let healthNotes = WorkerHealth()

    /// - Throws: `ConfigurationError` when a setting is wrong.
    public init(configuration: S3FileConfiguration, options: Options = Options(), logger: Logger) throws {
        try configuration.refuseDevelopmentSettings()
        self.options = options
        self.logger = logger
        // One event loop for all of a pool's requests to S3, on which the moves run, too. More processes make use of more processors.
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.executor = EventLoopTaskExecutor(eventLoop)
        self.connections = try Connections(configuration: configuration, on: eventLoop, logger: logger)
        self.work = S3StoreWork(connections: self.connections, options: options, logger: logger)
    }

    /// A pool that does other work in the store than the real one.
    package init(configuration: S3FileConfiguration, options: Options, work: any StoreWork, logger: Logger) throws {
        self.options = options
        self.logger = logger
        self.executor = nil
        self.connections = try Connections(configuration: configuration, logger: logger)
        self.work = work
    }

    /// Works until shutdown.
    ///
    /// - Throws: `SchemaError` when the tables are not those that this version works with. When that becomes so later, it goes on trying,
    ///   and loses nothing.
    public func run() async throws {
        // A group of its own, so that on shutdown the engine stops first and its connections last.
        try await ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: self.connections),
                    .init(
                        service: WorkerEngine(
                            connections: self.connections,
                            work: self.work,
                            executor: self.executor,
                            options: self.options,
                            metrics: self.metrics,
                            spans: self.spans,
                            health: self.healthNotes,
                            logger: self.logger
                        ),
                        successTerminationBehavior: .gracefullyShutdownGroup
                    ),
                ],
                logger: self.logger
            )
        ).run()
    }
}

extension WorkerPool: HealthReporting {
    /// Ready while Postgres answers, has the tables that this version works with, and the lease is certain. The pool is not live when its loops
    /// have not turned for two minutes: then it had better be begun anew.
    public var health: HealthReport { self.healthNotes.report() }
}
