import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

@Suite struct RetentionTests {
    /// An upload that ended so long ago, with an id of its time.
    private func ended(_ queue: UploadQueue, state: Int16, daysAgo: Int) async throws -> UUID {
        try await queue.client.query(
            """
            insert into s3file.upload (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, bucket, key, finished_at)
            select encode(overlay(uuid_send(s3file.uuid_v7()) placing
                       substring(int8send((extract(epoch from now() - make_interval(days => \(Int32(daysAgo)))) * 1000)::bigint) from 3)
                       from 1 for 6), 'hex')::uuid,
                   \(state), 'x', 'text/plain', 1, 'media', 'tmp/' || gen_random_uuid(), 'e', 'media', 'x/' || gen_random_uuid(),
                   now() - make_interval(days => \(Int32(daysAgo)))
            returning id
            """
        )[0]["id", UUID.self]
    }

    @Test func `ended uploads go when their time has come, each kind in its own; what lives stays`() async throws {
        try await withQueue { queue, _ in
            let live = try await queue.enqueue([.example()])[0].id
            let (oldStored, newStored) = (
                try await self.ended(queue, state: 2, daysAgo: 100), try await self.ended(queue, state: 2, daysAgo: 50)
            )
            let (oldFailed, newFailed) = (
                try await self.ended(queue, state: 3, daysAgo: 50), try await self.ended(queue, state: 4, daysAgo: 3)
            )
            var (next, pruned, rounds) = (UUID?.none, 0, 0)
            repeat {
                let batch = try await queue.prune(
                    storedFor: .seconds(90 * 86_400),
                    unstoredFor: .seconds(30 * 86_400),
                    after: next,
                    limit: 2
                )
                (next, pruned, rounds) = (batch.next, pruned + batch.pruned, rounds + 1)
            } while next != nil
            #expect(pruned == 2 && rounds > 1)
            let left = try await queue.uploads([live, oldStored, newStored, oldFailed, newFailed]).keys
            #expect(Set(left) == [live, newStored, newFailed])
        }
    }

    @Test func `without a limit nothing is forgotten, and a tmp object that is still to be deleted keeps its record`()
        async throws
    {
        try await withQueue { queue, _ in
            let kept = try await self.ended(queue, state: 2, daysAgo: 1_000)
            #expect(try await queue.prune(storedFor: nil, unstoredFor: nil, after: nil, limit: 100).pruned == 0)
            #expect(try await queue.prune(storedFor: nil, unstoredFor: .seconds(1), after: nil, limit: 100).pruned == 0)
            _ = try await queue.client.query("insert into s3file.tmp_deletion (upload_ids) values (array[\(kept)])")
            #expect(try await queue.prune(storedFor: .seconds(1), unstoredFor: nil, after: nil, limit: 100).pruned == 0)
        }
    }

    @Test func `events go by age, the oldest first`() async throws {
        try await withQueue { queue, worker in
            _ = try await queue.enqueue([.example()])
            _ = try await queue.claim(worker: worker, room: 1)
            #expect(try await queue.pruneEvents(olderThan: .seconds(60), limit: 10) == 0)
            _ = try await queue.client.query("update s3file.event set at = now() - interval '1 hour'")
            #expect(try await queue.pruneEvents(olderThan: .seconds(60), limit: 10) == 1)
        }
    }
}
