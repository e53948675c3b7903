import CoreMetrics
import Logging
import Postgres
import S3FileObservability
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(1))) struct PostgresMetricsTests {
    @Test func `connections, those who wait for one, and how long, are told`() async throws {
        let metrics = PrometheusMetrics()
        try await withMetricsFactory(metrics) {
            try await withTestDatabase {
                $0.maximumConnections = 1
            } _: { client, _ in
                try await client.withConnection { connection in
                    try await connection.query("select 1")
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await client.query("select 1") }
                        try await eventually("one waits") {
                            metrics.value("s3file_postgres_waiters") == 1
                                && metrics.value(#"s3file_postgres_connections{state="in_use"}"#) == 1
                        }
                        group.cancelAll()
                    }
                }
                try await eventually("none does any more") {
                    metrics.value("s3file_postgres_waiters") == 0
                        && metrics.value(#"s3file_postgres_connections{state="idle"}"#) == 1
                }
            }
        }
        #expect(metrics.value(#"s3file_postgres_connects_total{outcome="connected"}"#) == 1)
        // The first had to wait until the connection was there, the second in vain.
        #expect(metrics.value("s3file_postgres_wait_seconds_count") == 2)
    }

    @Test func `a connection that cannot be opened is counted`() async throws {
        let metrics = PrometheusMetrics()
        try await withMetricsFactory(metrics) {
            var configuration = PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/nothing")
            configuration.connectTimeout = .milliseconds(300)
            let client = PostgresClient(configuration: configuration, logger: .silent)
            _ = try await client.whileRunning {
                await #expect(throws: PostgresError.self) { try await client.query("select 1") }
            }
        }
        #expect((metrics.value(#"s3file_postgres_connects_total{outcome="failed"}"#) ?? 0) >= 1)
    }

    @Test func `a listener is up while it hears Postgres, is told as lost when it does not, and goes with its end`() async throws
    {
        let metrics = PrometheusMetrics()
        let isUp = #"s3file_postgres_listener_up{channel="news"}"#
        try await withMetricsFactory(metrics) {
            try await withTestDatabase { client, url in
                let listener = PostgresListener(
                    configuration: PostgresConfiguration(url: url, applicationName: "listener"),
                    channels: ["news"],
                    pingingThrough: client,
                    logger: .silent
                )
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await listener.run() }
                    try await eventually("it hears") { metrics.value(isUp) == 1 }
                    try await client.query(
                        """
                        select pg_terminate_backend(pid) from pg_stat_activity
                         where datname = current_database() and application_name = 'listener'
                        """
                    )
                    let lost = #"s3file_postgres_listener_lost_total{channel="news"}"#
                    try await eventually("it is lost") { metrics.value(lost) == 1 }
                    try await eventually("and hears again") { metrics.value(isUp) == 1 }
                    group.cancelAll()
                }
            }
        }
        #expect(metrics.value(isUp) == nil)
    }
}
