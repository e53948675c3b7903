import Foundation
import InMemoryTracing
import Postgres
import TestEnvironment
import Testing
import Tracing

@testable import S3File

@Suite struct TraceparentTests {
    static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private static let malformed = [
        "", "00", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01", " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é", String(repeating: "0", count: 100_000),
    ]

    @Test func `only W3C's own spelling of version 00 is a traceparent`() throws {
        let traceparent = try #require(Traceparent(Self.example))
        #expect(traceparent.description == Self.example)
        #expect(traceparent.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        for text in Self.malformed { #expect(Traceparent(text) == nil, "\(text.prefix(80))") }
    }

    @Test func `where nobody traces, a request's header is passed on`() async throws {
        #expect(Traceparent.current == nil)
        await Traceparent.withReceived(Self.example) { #expect(Traceparent.current?.description == Self.example) }
        await Traceparent.withReceived("nonsense") { #expect(Traceparent.current == nil) }
    }

    @Test func `what a transaction says is kept with its uploads, and comes with the claim`() async throws {
        try await withQueue { queue, worker in
            let traced = try await Traceparent.withReceived(Self.example) { try await queue.enqueue([.example()])[0].id }
            let many = try await Traceparent.withReceived(Self.example) {
                try await queue.enqueue([.example(storage: StorageSettings(cacheControl: "private")), .example()]).map(\.id)
            }
            let plain = try await queue.enqueue([.example()])[0].id
            let jobs = try await queue.claim(worker: worker, room: 10)
            #expect(jobs.count == 4)
            for job in jobs {
                #expect(job.traceparent?.description == (job.id == plain ? nil : Self.example))
                #expect(job.id == plain || job.id == traced || many.contains(job.id))
            }
        }
    }

    @Test(arguments: malformed.dropFirst()) func `what is no traceparent is not kept, and the upload is enqueued`(text: String)
        async throws
    {
        try await withQueue { queue, worker in
            try await queue.client.withTransaction { transaction in
                try await transaction.query("select set_config('s3file.traceparent', \(text), true)")
                try await transaction.query(
                    """
                    select s3file.enqueue(bucket => 'media', tmp_key => 'tmp/s3file/f/x', etag => '"e"', size => 1, key => 'a/x')
                    """
                )
            }
            let jobs = try await queue.claim(worker: worker, room: 10)
            #expect(jobs.count == 1 && jobs[0].traceparent == nil)
        }
    }

    @Test func `any language says it for its transaction, and the next one has none`() async throws {
        try await withMigratedDatabase { client, url in
            let enqueue = "select s3file.enqueue('media', 'tmp/s3file/f/%', '\"e\"', 1, 'a/%')"
            let script = """
                begin; set local s3file.traceparent = '\(Self.example)'; \(enqueue.replacing("%", with: "1")); commit;
                \(enqueue.replacing("%", with: "2"));
                """
            #expect(try await Program.output("psql", ["-Xqd", url, "-c", script]).exitCode == 0)
            let kept = try await client.query("select traceparent from s3file.upload order by tmp_key").map {
                try $0["traceparent", String?.self]
            }
            #expect(kept == [Self.example, nil])
        }
    }
}
