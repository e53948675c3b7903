import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct SweepTests {
    private func begin(_ queue: UploadQueue, anew: Bool = false) async throws -> SweepPass? {
        try await queue.beginSweep(bucket: "media", prefix: "tmp/", holder: "test", every: .seconds(3600), anew: anew)
    }

    @Test func `one has a pass at a time, and a pass of one place is none of another`() async throws {
        try await withQueue { queue, _ in
            let passes = try await withThrowingTaskGroup(of: SweepPass?.self) { group in
                for _ in 0..<8 { group.addTask { try await self.begin(queue) } }
                return try await group.reduce(into: [SweepPass]()) { if let pass = $1 { $0.append(pass) } }
            }
            #expect(passes.count == 1)
            #expect(try await self.begin(queue, anew: true) == nil)
            let other = try await queue.beginSweep(bucket: "media", prefix: "other/", holder: "test", every: .seconds(3600))
            #expect(other != nil)
        }
    }

    @Test func `the next pass begins when it is due, or when somebody wants one`() async throws {
        try await withQueue { queue, _ in
            let first = try #require(try await self.begin(queue))
            try await queue.end(first, done: true)
            #expect(try await self.begin(queue) == nil)
            let wanted = try #require(try await self.begin(queue, anew: true))
            #expect(wanted.token > first.token && wanted.after == "")
            try await queue.end(wanted, done: true)
            _ = try await queue.client.query("update s3file.sweep set due_at = now()")
            #expect(try await self.begin(queue) != nil)
        }
    }

    @Test func `what is left is gone on with, and its holder is fenced off`() async throws {
        try await withQueue { queue, _ in
            let first = try #require(try await self.begin(queue))
            #expect(try await queue.keep(first, after: "tmp/m", listed: 10, removed: 3, bytesFreed: 30))
            // Stopped: nobody needs to wait.
            try await queue.end(first, done: false)
            let second = try #require(try await self.begin(queue))
            #expect(second.after == "tmp/m")
            #expect(try await !queue.keep(first, after: "tmp/z"))
            try await queue.end(first, done: true)
            #expect(try await queue.keep(second, listed: 5))
            let state = try #require(try await queue.sweepState(bucket: "media", prefix: "tmp/"))
            #expect(state.listed == 15 && state.removed == 3 && state.expiresAt != nil && state.endedAt == nil)
            // Whoever wants a whole one begins at the beginning.
            _ = try await queue.client.query("update s3file.sweep set expires_at = now() - interval '1 second'")
            #expect(try await self.begin(queue, anew: true)?.after == "")
        }
    }

    @Test func `a look at what would expire says the same as the mark`() async throws {
        try await withQueue { queue, worker in
            let keys = (0..<5).map { "tmp/s3file/f/\($0)" }
            _ = try await queue.enqueue([.example(tmpKey: keys[0])])
            let failed = try await queue.enqueue([.example(tmpKey: keys[1])])[0]
            let gone = try await queue.enqueue([.example(tmpKey: keys[2])])[0]
            _ = try await queue.client.query(
                "update s3file.upload set state = 3, finished_at = now() where id = \(failed.id)"
            )
            try await queue.cancel([gone.id])
            _ = try await queue.enqueue([.example(key: keys[3])])
            let would = try await queue.expirable(tmpBucket: "media", keys: keys + [keys[4]])
            #expect(Set(would) == [keys[2], keys[4]] && would.count == 2)
            let did = try await queue.expire(tmpBucket: "media", objects: keys.map { ($0, 1, "\"e\"") })
            #expect(Set(did) == Set(would))
        }
    }

    @Test func `a mark waits for no open transaction`() async throws {
        try await withQueue { queue, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await queue.client.withTransaction { app in
                    _ = try await app.query(
                        "select s3file.enqueue(bucket => 'media', tmp_key => 'tmp/s3file/f/x', etag => 'e', size => 1, key => 'docs/x')"
                    )
                    _ = try await queue.expire(tmpBucket: "media", objects: [("tmp/s3file/f/x", 1, "e")])
                }
            }
            #expect(error?.sqlState == "55P03")
        }
    }
}
