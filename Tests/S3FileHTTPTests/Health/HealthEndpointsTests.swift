import CoreMetrics
import Foundation
import HTTPTypes
import NIOCore
import S3File
import S3FileHTTP
import S3FileObservability
import Testing

@Suite struct HealthEndpointsTests {
    private struct Fixed: HealthReporting {
        var health: HealthReport
    }

    private func answer(_ endpoints: HealthEndpoints, _ route: HealthEndpoints.Route) throws -> (HTTPAnswer, [String: Any]) {
        let answer = endpoints.answer(route)
        guard case .bytes(let bytes) = answer.body else { throw CancellationError() }
        let json = try JSONSerialization.jsonObject(with: Data(bytes.readableBytesView)) as? [String: Any]
        return (answer, try #require(json))
    }

    @Test func `ready is 200 only when everything is, and says what is not`() throws {
        let well = Fixed(health: HealthReport(liveness: [.init("main_loop")], readiness: [.init("database"), .init("lease")]))
        let (answer, json) = try self.answer(HealthEndpoints([well]), .ready)
        #expect(answer.status == .ok && answer.headers[.cacheControl] == "no-store")
        #expect(json["status"] as? String == "ok")
        #expect(json["checks"] as? [String: String] == ["main_loop": "ok", "database": "ok", "lease": "ok"])

        let ill = Fixed(health: HealthReport(readiness: [.init("database", failure: "Away.")]))
        for reporters in [[well, ill], [ill, well]] {
            let (answer, json) = try self.answer(HealthEndpoints(reporters), .ready)
            #expect(answer.status == .serviceUnavailable && json["status"] as? String == "unavailable")
            #expect((json["checks"] as? [String: String])?["database"] == "Away.")
        }
    }

    @Test func `live does not mind what only readiness lacks`() throws {
        let unready = Fixed(health: HealthReport(liveness: [.init("main_loop")], readiness: [.init("lease", failure: "None.")]))
        #expect(try self.answer(HealthEndpoints([unready]), .live).0.status == .ok)
        let dead = Fixed(health: HealthReport(liveness: [.init("main_loop", failure: "It hangs.")]))
        #expect(try self.answer(HealthEndpoints([unready, dead]), .live).0.status == .serviceUnavailable)
        // What is not live is not ready either.
        #expect(try self.answer(HealthEndpoints([dead]), .ready).0.status == .serviceUnavailable)
    }

    @Test func `metrics are told in Prometheus's text format, and only where there are any`() throws {
        let metrics = PrometheusMetrics()
        Counter(label: "x", factory: metrics).increment()
        let answer = HealthEndpoints([], metrics: metrics).answer(.metrics)
        #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        guard case .bytes(let bytes) = answer.body else { throw CancellationError() }
        #expect(String(buffer: bytes).contains("\nx_total 1\n"))
        #expect(HealthEndpoints([]).answer(.metrics).status == .notFound)
        #expect(HealthEndpoints([]).routes == [.live, .ready])
        #expect(HealthEndpoints([], metrics: metrics).routes.map(\.path) == ["health/live", "health/ready", "metrics"])
    }
}
