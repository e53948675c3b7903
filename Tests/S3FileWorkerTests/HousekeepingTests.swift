import Foundation
import Postgres
import TestEnvironment
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct HousekeepingTests {
    @Test func `records go when they are old enough for how they ended, and events do`() async throws {
        try await Storeroom.with { here in
            let ids = try await here.enqueueUnmoved(4)
            let worker = try await here.queue.register(host: "test", pid: 1, version: "0")
            let jobs = try await here.queue.claim(worker: worker, room: 3, queues: nil, lanes: nil)
            let outcomes: [Outcome] = [
                .stored(etag: "\"1\"", versionID: nil), .failed(code: "x", message: "x"), .failed(code: "y", message: "y"),
            ]
            let settled = try await here.queue.settle(zip(jobs, outcomes).map { ($0, $1) }, worker: worker)
            try await here.queue.noteTmpDeleted(
                jobs.compactMap { job in settled[job.id]?.tmpDeletion.map { job.tmpObject(batch: $0) } }
            )
            // All but the last began and ended long ago; ids are ordered by time.
            _ = try await here.queue.client.query(
                """
                update s3file.upload
                   set id = ('00000000-0000-7000-8000-00000000000' || ordinal)::uuid, finished_at = now() - make_interval(days => 31 * ordinal::int)
                  from unnest(\(jobs.map(\.id))) with ordinality as old(old_id, ordinal) where id = old_id
                """
            )
            _ = try await here.queue.client.query("update s3file.event set at = now() - interval '4 days'")

            func prune(_ retention: S3FileConfiguration.Retention) async throws -> (records: Int, events: Int) {
                var configuration = here.connections.configuration
                configuration.retention = retention
                return try await Connections.with(configuration, logger: .quiet) { connections in
                    try await Housekeeping(connections: connections, options: .init(), logger: .quiet).pruneOnce()
                }
            }
            let nothing = try await prune(.init(stored: nil, unstored: nil, events: nil))
            #expect(nothing == (0, 0))
            let unstored = try await prune(.init(stored: nil, unstored: .seconds(70 * 86_400), events: .seconds(3 * 86_400)))
            #expect(unstored == (1, 2))
            let stored = try await prune(.init(stored: .seconds(30 * 86_400), unstored: nil))
            #expect(stored == (1, 0))
            let left = try await here.queue.client.query("select id from s3file.upload").map { try $0["id", UUID.self] }
            #expect(left.count == 2 && Set(left).isSuperset(of: Set(ids).subtracting(jobs.map(\.id))))
        }
    }
}
