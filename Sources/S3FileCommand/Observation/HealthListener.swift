import CoreMetrics
import Hummingbird
import Logging
import NIOCore
import S3File
import S3FileHummingbird
import S3FileObservability
import ServiceLifecycle

/// Answers probes and Prometheus beside what a process does: `/health/live`, `/health/ready` and `/metrics`.
///
/// First among a group's services, so that it answers while the others end.
struct HealthListener: Service {
    private let settings: HealthSettings
    private let routes: HealthRoutes<BasicRequestContext>
    private let logger: Logger

    init(_ settings: HealthSettings, _ reporters: [any HealthReporting], metrics: PrometheusMetrics, logger: Logger) {
        self.settings = settings
        self.routes = HealthRoutes(reporters, metrics: metrics)
        self.logger = logger
    }

    func run() async throws {
        let router = Router(context: BasicRequestContext.self)
        self.routes.add(to: router)
        let (settings, logger) = (self.settings, self.logger)
        let app = Application(
            router: router,
            configuration: .init(address: .hostname(settings.host, port: settings.port)),
            onServerRunning: { channel in
                logger.notice(
                    "Health and metrics are served",
                    metadata: ["address": "\(channel.localAddress.map { "\($0)" } ?? "")"]
                )
            },
            // Its own words at each start and request are no news.
            logger: Logger(label: "s3file.health") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            try await app.run()
        } catch let error as IOError {
            throw ConfigurationError(
                "S3FILE_HEALTH_PORT: nothing can listen on \(settings.host):\(settings.port) (\(error)); choose another port or S3FILE_HEALTH_HOST"
            )
        }
    }
}

extension MetricsSystem {
    /// Metrics of this process from here on; to be called once, before anything that counts is made.
    static func beginCounting() -> PrometheusMetrics {
        let metrics = PrometheusMetrics()
        self.bootstrap(metrics)
        return metrics
    }
}
