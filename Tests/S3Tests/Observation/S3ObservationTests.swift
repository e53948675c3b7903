import AsyncHTTPClient
import CoreMetrics
import Foundation
import S3
import S3FileObservability
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(1))) struct S3ObservationTests {
    /// What a client counts that a server answers so.
    private func counted(
        _ answers: [ScriptedServer.Answer],
        timeout: Duration = .seconds(10),
        _ body: (S3Client) async throws -> Void
    ) async throws -> PrometheusMetrics {
        let metrics = PrometheusMetrics()
        try await withMetricsFactory(metrics) {
            try await ScriptedServer.with(answers) { server in
                try await TestStore.withClient(
                    UnreliableStoreTests.configuration(server.endpoint),
                    retry: S3RetryPolicy(baseDelay: .milliseconds(5)),
                    timeouts: S3Client.Timeouts(request: timeout, copy: timeout)
                ) { client, _ in
                    try? await body(client)
                }
            }
        }
        return metrics
    }

    private func requests(_ metrics: PrometheusMetrics, _ operation: String) -> [String: Double] {
        let outcomes = ["ok", "not_found", "condition", "refused", "throttled", "failed", "unanswered", "cancelled"]
        let counts = outcomes.map { outcome in
            (outcome, metrics.value(#"s3file_s3_requests_total{operation="\#(operation)",outcome="\#(outcome)"}"#) ?? 0)
        }
        return Dictionary(uniqueKeysWithValues: counts).filter { $0.value > 0 }
    }

    private static func error(_ code: String) -> String { "<Error><Code>\(code)</Code><Message>m</Message></Error>" }

    @Test func `each attempt is counted by how it ended, and each repetition by why`() async throws {
        let metrics = try await self.counted([
            .status("503 Slow Down", Self.error("SlowDown")), .status("500 Internal", Self.error("InternalError")),
            .status("204 No Content"),
        ]) { try await $0.abortMultipartUpload(bucket: "bucket", key: "k", uploadID: "u") }
        #expect(self.requests(metrics, "AbortMultipartUpload") == ["throttled": 1, "failed": 1, "ok": 1])
        #expect(metrics.value(#"s3file_s3_retries_total{code="SlowDown"}"#) == 1)
        #expect(metrics.value(#"s3file_s3_retries_total{code="InternalError"}"#) == 1)
        #expect(metrics.value(#"s3file_s3_request_seconds_count{operation="AbortMultipartUpload"}"#) == 3)
    }

    @Test(arguments: [
        ("404 Not Found", "NoSuchKey", "not_found"), ("412 Precondition Failed", "PreconditionFailed", "condition"),
        ("403 Forbidden", "AccessDenied", "refused"), ("501 Not Implemented", "NotImplemented", "failed"),
    ])
    func `an answer that ends it is counted as what it is`(status: String, code: String, outcome: String) async throws {
        let metrics = try await self.counted([.status(status, Self.error(code))]) {
            _ = try await $0.copyObject(S3CopyRequest(sourceBucket: "src", sourceKey: "a", bucket: "dst", key: "b"))
        }
        #expect(self.requests(metrics, "CopyObject") == [outcome: 1])
    }

    @Test func `what is not answered is counted, too, and a code that a store makes up fills no memory`() async throws {
        let silent = try await self.counted([.silence], timeout: .milliseconds(50)) {
            _ = try await $0.copyObject(S3CopyRequest(sourceBucket: "src", sourceKey: "a", bucket: "dst", key: "b"))
        }
        #expect(self.requests(silent, "CopyObject") == ["unanswered": 1])
        let metrics = PrometheusMetrics()
        let counters = CodeCounters(label: "c_total", factory: metrics)
        for number in 0..<200 { counters.increment("Code\(number)") }
        for code in ["", "with blank", "quote\"", String(repeating: "x", count: 65), "é"] { counters.increment(code) }
        #expect(metrics.text().split(separator: "\n").count { $0.hasPrefix("c_total{") } == CodeCounters.limit + 1)
        #expect(metrics.value(#"c_total{code="other"}"#) == Double(205 - CodeCounters.limit))
    }
}
