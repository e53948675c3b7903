package import CoreMetrics

/// What a pool and its listeners tell the metrics, as handles that are made once.
package struct PostgresMetrics: Sendable {
    /// How often what stands still is told: connections, and who waits for them.
    static let interval = Duration.seconds(1)

    let factory: any MetricsFactory
    let idle, leased, opening, waiters: Gauge
    /// Of those who found none free.
    let wait: Timer
    let connected, failed: Counter

    package init(factory: any MetricsFactory = MetricsSystem.factory) {
        func connections(_ state: String) -> Gauge {
            Gauge(label: "s3file_postgres_connections", dimensions: [("state", state)], factory: factory)
        }
        func connects(_ outcome: String) -> Counter {
            Counter(label: "s3file_postgres_connects_total", dimensions: [("outcome", outcome)], factory: factory)
        }
        self.factory = factory
        (self.idle, self.leased, self.opening) = (connections("idle"), connections("in_use"), connections("opening"))
        self.waiters = Gauge(label: "s3file_postgres_waiters", factory: factory)
        self.wait = Timer(label: "s3file_postgres_wait_seconds", factory: factory)
        (self.connected, self.failed) = (connects("connected"), connects("failed"))
    }

    /// Whether anybody counts.
    package var isUsed: Bool { !(self.factory is NOOPMetricsHandler) }

    func tell(_ load: PoolState.Load) {
        self.idle.record(load.idle)
        self.leased.record(load.leased)
        self.opening.record(load.opening)
        self.waiters.record(load.waiters)
    }
}

/// The same of one listener, by the first of its channels.
struct ListenerMetrics: Sendable {
    /// 1 while it hears Postgres.
    let isUp: Gauge
    let lost: Counter

    init(channel: String, factory: any MetricsFactory) {
        let dimensions = [("channel", channel)]
        self.isUp = Gauge(label: "s3file_postgres_listener_up", dimensions: dimensions, factory: factory)
        self.lost = Counter(label: "s3file_postgres_listener_lost_total", dimensions: dimensions, factory: factory)
    }
}

extension Timer {
    /// From then until now.
    package func record(since start: ContinuousClock.Instant) {
        self.record(ContinuousClock.now - start)
    }

    package func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.recordNanoseconds(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }
}
