import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Postgres
import S3
import S3File
import TestEnvironment
import Testing

@testable import S3FileWorker

/// A form and the sweep at the same time, both ways round, from the form's side.
@Suite struct SweepRaceTests {
    private func sweeper(_ site: TestSite) -> Sweeper {
        var sweeper = Sweeper(connections: site.connections, logger: .quiet)
        sweeper.ahead = 25 * 3600
        return sweeper
    }

    private func isThere(_ site: TestSite, _ key: String) async throws -> Bool {
        try await site.connections.s3.listObjects(bucket: TestSite.bucket, prefix: key).objects.count == 1
    }

    @Test func `when the form is first the object stays, and is stored`() async throws {
        try await withSite { site in
            let (drawn, file) = try await site.drawnWithFile()
            try await site.app().test(.router) { client in
                let response = try await client.post(drawn.post([file]))
                #expect(response.status == .ok)
            }
            let summary = try #require(try await self.sweeper(site).sweep())
            #expect(summary.kept == 1 && summary.removed == 0)
            #expect(try await self.isThere(site, file.key))
            #expect(try await site.rows() == ["queued"])
        }
    }

    @Test func `when the sweep is first the form is told that it came too late, and nothing is enqueued`() async throws {
        try await withSite { site in
            let (drawn, file) = try await site.drawnWithFile()
            // Marked, and not deleted yet: the form's look at the object is no help.
            _ = try await site.connections.queue.expire(tmpBucket: TestSite.bucket, objects: [(file.key, 5, "\"e\"")])
            #expect(try await self.isThere(site, file.key))
            try await site.app().test(.router) { client in
                let response = try await client.post(drawn.post([file]), headers: [.accept: "application/json"])
                #expect(response.status == .gone)
                #expect(response.text.contains("waited too long and was removed"))
            }
            #expect(try await site.rows() == ["expired"])
            let summary = try #require(try await self.sweeper(site).sweep())
            #expect(summary.removed == 1)
            #expect(try await !self.isThere(site, file.key))
            let jobs = try await site.database.query("select 1 as one from s3file.job")
            #expect(jobs.isEmpty)
        }
    }

    @Test func `a hundred forms beside sweeps: each is either taken, and has its object, or told so, and nothing is left`()
        async throws
    {
        try await withSite { site in
            let forms = try await withThrowingTaskGroup(of: (TestSite.Drawn, (key: String, name: String)).self) { group in
                for _ in 0..<100 { group.addTask { try await site.drawnWithFile() } }
                return try await group.reduce(into: [(TestSite.Drawn, (key: String, name: String))]()) { $0.append($1) }
            }
            let sweeper = self.sweeper(site)
            try await site.app().test(.router) { client in
                let statuses = try await withThrowingTaskGroup(of: (String, Int).self) { group in
                    for _ in 0..<2 { group.addTask { ("", try await sweeper.sweep() == nil ? 0 : 0) } }
                    for (drawn, file) in forms {
                        group.addTask { (file.key, Int(try await client.post(drawn.post([file])).status.code)) }
                    }
                    return try await group.reduce(into: [String: Int]()) { if $1.1 > 0 { $0[$1.0] = $1.1 } }
                }
                #expect(statuses.count == 100)
                for (key, status) in statuses {
                    let isThere = try await self.isThere(site, key)
                    #expect(isThere == (status == 200), "\(status)")
                }
                let rows = try await site.rows()
                #expect(rows.count { $0 == "queued" } == statuses.values.count { $0 == 200 })
                #expect(rows.allSatisfy { $0 == "queued" || $0 == "expired" })
            }
        }
    }
}
