//! Workers inside a program of one's own, in the place of `s3file worker`.

// snippet.hide
#if canImport(S3FileWorker)
    // snippet.show
    // snippet.pool
    import Configuration
    import Logging
    import S3File
    import S3FileWorker
    import ServiceLifecycle

    let logger = Logger(label: "worker")
    let configuration = try S3FileConfiguration(reader: ConfigReader(provider: EnvironmentVariablesProvider()))
    let pool = try WorkerPool(configuration: configuration, logger: logger)
    try await ServiceGroup(services: [pool], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
// snippet.end
// snippet.hide
#endif
