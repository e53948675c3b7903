import Foundation
import HTTPTypes
import InMemoryTracing
import Postgres
import S3FileHTTP
import TestEnvironment
import Testing
import Tracing

@Suite struct TracesTests {
    @Test func `a form's spans are one trace, and the move's span is linked to that which enqueued it`() async throws {
        try await ObservedSite.with { site in
            let form = try await withSpan("POST /") { span in
                let form = try #require(try await site.post(["one", "two"]).outcome.taken)
                return (form, try #require(span.context.inMemorySpanContext))
            }
            let (taken, request) = form
            try await site.storeds(2)
            let spans = try await eventually { () -> [FinishedInMemorySpan]? in
                let spans = site.tracer.spans.finishedSpans
                return spans.count { $0.operationName == "process default" } == 2 ? spans : nil
            }
            func named(_ name: String, in spans: [FinishedInMemorySpan]) -> [FinishedInMemorySpan] {
                spans.filter { $0.operationName == name }
            }
            let ours = spans.filter { $0.traceID == request.traceID }
            let root = try #require(named("s3file.form", in: ours).first)
            #expect(root.parentSpanID == request.spanID)
            let verify = try #require(named("s3file.verify", in: ours).first)
            #expect(verify.parentSpanID == root.spanID && verify.attributes.get("s3file.files") == .int64(2))
            let heads = named("S3.HeadObject", in: ours)
            #expect(heads.count == 2 && heads.allSatisfy { $0.parentSpanID == verify.spanID && $0.kind == .client })
            let enqueue = try #require(named("enqueue default", in: ours).first)
            #expect(enqueue.parentSpanID == root.spanID && enqueue.kind == .producer)
            #expect(enqueue.attributes.get("messaging.batch.message_count") == .int64(2))

            let moves = named("process default", in: spans)
            let ids = Set(taken.uploads.all.map { $0.id.uuidString.lowercased() })
            for move in moves {
                #expect(move.kind == .consumer && move.traceID != request.traceID)
                #expect(move.links.map { $0.context.inMemorySpanContext?.spanID } == [enqueue.spanID])
                #expect(move.links.first?.context.inMemorySpanContext?.traceID == request.traceID)
                guard case .string(let id) = move.attributes.get("messaging.message.id") else { throw CancellationError() }
                #expect(ids.contains(id))
                #expect(move.attributes.get("s3file.outcome") == .string("stored") && move.status == nil)
                let copies = named("S3.CopyObject", in: spans).filter { $0.parentSpanID == move.spanID }
                #expect(copies.count == 1 && copies[0].traceID == move.traceID)
                #expect(copies[0].attributes.get("rpc.system") == .string("aws-api"))
                #expect(copies[0].attributes.get("aws.s3.bucket") == .string(site.server.bucket))
            }
            #expect(named("claim", in: spans).contains { $0.kind == .client })
        }
    }

    @Test func `a request that another process traced is linked, too, where this one traces nothing`() async throws {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await ObservedSite.with(hasWorker: false) { site in
            // As by SQL: no span of ours is in force.
            try await site.database.withTransaction { transaction in
                try await transaction.query("select set_config('s3file.traceparent', \(header), true)")
                try await transaction.query(
                    "select s3file.enqueue(\(site.server.bucket), 'tmp/s3file/f/x', '\"e\"', 1, 'documents/x')"
                )
            }
            let kept = try await site.database.query("select traceparent from s3file.upload")
            #expect(try kept.map { try $0["traceparent", String?.self] } == [header])
        }
    }

    @Test func `what went wrong is in the span: each repetition, and the error's type`() async throws {
        try await ObservedSite.with(faults: "slow-down times=1 operation=CopyObject") { site in
            _ = try await site.post(["one"])
            try await site.storeds(1)
            // The fault may meet the worker's probe, which copies as well.
            let copies = site.tracer.spans.finishedSpans.filter { $0.operationName == "S3.CopyObject" }
            let events = copies.flatMap(\.events)
            #expect(events.map(\.name) == ["retry"] && events.first?.attributes.get("error.type") == .string("SlowDown"))
            try await site.database.query(
                "select s3file.enqueue(\(site.server.bucket), 'tmp/s3file/f/nothing', '\"e\"', 1, 'documents/nothing')"
            )
            let failed = try await eventually {
                site.tracer.spans.finishedSpans.first { $0.attributes.get("s3file.outcome") == .string("failed") }
            }
            #expect(failed.attributes.get("error.type") == .string("source_missing") && failed.status?.code == .error)
        }
    }
}
