import CoreMetrics
import Foundation
import HTTPTypes
import Postgres
import S3FileObservability
import TestEnvironment
import Testing

@Suite struct MetricsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A run in which everything happens that is counted once it happens.
    private func withEventfulRun(_ body: @escaping @Sendable (ObservedSite) async throws -> Void) async throws {
        try await ObservedSite.with(faults: "slow-down times=2 operation=CopyObject") { site in
            #expect(try await site.post(["one", "three"]).outcome.taken != nil)
            #expect(try await site.postFile("streamed").taken != nil)
            #expect(try await site.post(["x"], ticket: "v2.forged").outcome.taken == nil)
            #expect(try await site.post(["withdrawn"], status: .badRequest).outcome.taken != nil)
            try await site.storeds(3)
            // One that fails for good: its object is gone.
            try await site.database.query(
                """
                select s3file.enqueue(bucket => \(site.server.bucket), tmp_key => 'tmp/s3file/f/nothing', etag => '"e"', size => 1,
                                      key => 'documents/nothing')
                """
            )
            try await eventually("all has been told that is told now and then") {
                site.value(#"s3file_settled_total{outcome="failed"}"#) == 1 && site.value("s3file_tmp_deleted_total") == 3
                    && site.value("s3file_postgres_up") == 1
                    && site.value(#"s3file_queue_jobs{queue="default",state="due"}"#) == 0
                    && site.value(#"s3file_postgres_listener_up{channel="s3file_upload"}"#) == 1
                    && site.value("s3file_worker_slots") == 16 && site.value("s3file_status_waiting_limit") == 4_000
                    && site.value(#"s3file_workers{state="alive"}"#) == 1
            }
            try await body(site)
        }
    }

    @Test func `a run tells what happened in it, with help for each number, and Prometheus's checker has nothing against it`()
        async throws
    {
        try await self.withEventfulRun { site in
            let text = site.metrics.text()
            #expect(try await Promtool.complaints(about: text) == [])
            let expected: [(String, Double)] = [
                (#"s3file_forms_total{code="ok"}"#, 3), (#"s3file_forms_total{code="invalid_ticket"}"#, 1),
                ("s3file_form_files_total", 4), ("s3file_form_bytes_total", 25), ("s3file_forms_withdrawn_total", 1),
                ("s3file_form_seconds_count", 4), ("s3file_streamed_bytes_total", 8), ("s3file_streamed_forms", 0),
                (#"s3file_enqueued_total{result="new"}"#, 4), (#"s3file_settled_total{outcome="stored"}"#, 3),
                (#"s3file_settled_total{outcome="lost"}"#, 0), ("s3file_stored_bytes_total", 16),
                ("s3file_time_to_stored_seconds_count", 3), (#"s3file_failures_total{code="source_missing"}"#, 1),
                (#"s3file_s3_requests_total{operation="CopyObject",outcome="throttled"}"#, 2),
                (#"s3file_s3_retries_total{code="SlowDown"}"#, 2), ("s3file_worker_has_lease", 1),
                (#"s3file_queue_paused{queue="default"}"#, 0), ("s3file_parked_buckets", 0),
                ("s3file_metrics_refused_series_total", 0), (#"s3file_workers{state="late"}"#, 0),
            ]
            for (series, value) in expected { #expect(site.value(series) == value, "\(series)") }
            let claimed = try #require(site.value("s3file_claimed_total"))
            #expect(site.value("s3file_pickup_seconds_count") == claimed && site.value("s3file_move_seconds_count") == claimed)
            // Not hours, as when one clock is taken for another.
            #expect(try #require(site.value("s3file_pickup_seconds_sum")) < 60 * claimed)
            #expect(try #require(site.value("s3file_time_to_stored_seconds_sum")) < 180)

            let told = Set(text.matches(of: /(?m)^# TYPE (s3file_\w+)[ ]/).map { String($0.1) })
            let helped = Set(text.matches(of: /(?m)^# HELP (s3file_\w+)[ ]/).map { String($0.1) })
            #expect(told.subtracting(helped) == [])
            #expect(Set(MetricHelp.texts.keys).subtracting(told) == [], "told by nobody")
        }
    }

    @Test func `no label has an id, a key or a name of a person`() async throws {
        try await self.withEventfulRun { site in
            let text = site.metrics.text()
            let labels = Set(text.matches(of: /[{,](\w+)="/).map { String($0.1) })
            #expect(
                labels == [
                    "bucket", "channel", "code", "kind", "le", "operation", "outcome", "queue", "result", "state", "task",
                    "version",
                ]
            )
            for word in ["ada", "documents/", "tmp/s3file", "file 0"] { #expect(!text.contains(word), "\(word)") }
        }
    }

    @Test(arguments: ["docker/grafana-dashboard.json", "docker/prometheus-rules.yaml"])
    func `every metric that a dashboard or a rule asks for is told by a run, under the labels it asks for`(file: String)
        async throws
    {
        let asking = try String(contentsOf: Self.root.appending(path: file), encoding: .utf8)
        let asked = Set(asking.matches(of: /\b(?:s3file|process)_\w+/).map { String($0.0) })
        #expect(asked.count > 10)
        try await self.withEventfulRun { site in
            let text = site.metrics.text()
            // A sentence names a histogram, an expression one of its series.
            let named = text.matches(of: /(?m)^# TYPE (\w+)[ ]/).map { String($0.1) }
            let told = Set(text.matches(of: /(?m)^((?:s3file|process)_\w+)[{ ]/).map { String($0.1) } + named)
            #expect(asked.subtracting(told) == [])
            for match in asking.matches(of: /\b(s3file_\w+)\{([^}]*)\}/) {
                for label in match.2.matches(of: /(\w+)\s*(?:=~|!=|!~|=)/) {
                    let series = text.split(separator: "\n").filter { $0.hasPrefix("\(match.1){") }
                    let isTold =
                        ["job", "instance"].contains(String(label.1)) || series.contains { $0.contains("\(label.1)=\"") }
                    #expect(isTold, "\(match.0)")
                }
            }
        }
    }

    @Test func `a queue that is gone is told no more, and Postgres away is told at once`() async throws {
        try await ObservedSite.with(hasWorker: false) { site in
            try await site.database.query("select s3file.set_queue('passing')")
            let series = #"s3file_queue_paused{queue="passing"}"#
            try await eventually("the queue is told") { site.value(series) == 0 }
            try await site.database.query("delete from s3file.queue where name = 'passing'")
            try await eventually("it is told no more") { site.value(series) == nil }
            try await site.database.query("alter function s3file.queue_reading rename to not_there")
            try await eventually("readings fail") { site.value("s3file_postgres_up") == 0 }
            #expect(try #require(site.value("s3file_queue_reading_failures_total")) >= 1)
        }
    }
}
