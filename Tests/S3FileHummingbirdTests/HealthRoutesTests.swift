import CoreMetrics
import Foundation
import Hummingbird
import HummingbirdTesting
import Postgres
import S3File
import S3FileHummingbird
import S3FileObservability
import TestEnvironment
import Testing

@Suite struct HealthRoutesTests {
    @Test func `an app is ready while Postgres answers and its tables are right, and says what is missing`() async throws {
        try await withSite { site in
            let metrics = PrometheusMetrics()
            Counter(label: "x", factory: metrics).increment()
            let router = Router()
            HealthRoutes([site.uploads], metrics: metrics).add(to: router)
            router.addRoutes(HealthRoutes([site.uploads]).endpoints, atPath: "/internal")
            try await Application(router: router, logger: .quiet).test(.router) { client in
                try await eventually("it is ready") {
                    try await client.execute(uri: "/health/ready", method: .get).status == .ok
                }
                let live = try await client.execute(uri: "/internal/health/live", method: .get)
                #expect(live.status == .ok && String(buffer: live.body) == #"{"checks":{},"status":"ok"}"#)
                let told = try await client.execute(uri: "/metrics", method: .get)
                #expect(told.headers[.contentType] == PrometheusMetrics.contentType)
                #expect(String(buffer: told.body).contains("\nx_total 1\n"))
                #expect(try await client.execute(uri: "/internal/metrics", method: .get).status == .notFound)
                #expect(try await client.execute(uri: "/health/ready", method: .post).status != .ok)

                try await site.database.query("alter table s3file.schema_migration rename to not_there")
                try await eventually("the tables are missed") {
                    let answer = try await client.execute(uri: "/health/ready", method: .get)
                    return answer.status == .serviceUnavailable
                }
            }
        }
    }
}
