//! Logs in JSON and metrics for Prometheus, in a program of one's own.

// snippet.hide
#if canImport(S3FileObservability) && canImport(S3FileWorker)
    // snippet.show
    // snippet.begin
    import Configuration
    import CoreMetrics
    import Logging
    import S3File
    import S3FileObservability
    import S3FileWorker

    let metrics = PrometheusMetrics()
    // Before anything is made that counts.
    MetricsSystem.bootstrap(metrics)
    LoggingSystem.bootstrap { label in JSONLogHandler(label: label) }
    let reader = ConfigReader(provider: EnvironmentVariablesProvider())
    let pool = try WorkerPool(configuration: S3FileConfiguration(reader: reader), logger: Logger(label: "worker"))
    // snippet.end

    // snippet.text
    let answer = (type: PrometheusMetrics.contentType, body: metrics.text())
// snippet.end
// snippet.hide
#endif
