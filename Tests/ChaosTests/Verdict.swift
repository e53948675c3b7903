import Foundation
import NIOCore
import Postgres
import S3
import TestEnvironment
import Testing

@testable import S3File

extension ChaosSite {
    /// What must be so in the end, whatever happened: every upload stored exactly once with its bytes, none lost, none stuck, no attempt
    /// begun before the one before it had ended, and nothing left in tmp.
    func expectAllWell(_ ids: [UUID], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let counts = try await self.client.query(
            """
            select (select count(*) from s3file.upload where state = 2) as stored, (select count(*) from s3file.upload) as uploads,
                   (select count(*) from s3file.job) as jobs
            """
        )[0]
        #expect(try counts["uploads", Int.self] == ids.count, sourceLocation: sourceLocation)
        #expect(try counts["stored", Int.self] == ids.count, sourceLocation: sourceLocation)
        #expect(try counts["jobs", Int.self] == 0, sourceLocation: sourceLocation)

        let expected = Set(ids.map { "docs/\($0).txt" })
        let stored = try await self.keys(prefix: "docs/")
        #expect(stored == expected, sourceLocation: sourceLocation)
        let wrong = try await self.wrongBytes(ids)
        #expect(wrong.isEmpty, sourceLocation: sourceLocation)

        let history = try await self.client.query(
            """
            with told as (
                select event_id, upload_id, status, attempt, worker, lag(status) over w as status_before,
                       lag(attempt) over w as attempt_before, lag(worker) over w as worker_before
                  from s3file.upload_event window w as (partition by upload_id order by event_id))
            select count(*) filter (where status = 'moving' and status_before = 'moving') as held_twice,
                   count(*) filter (where status = 'moving' and attempt <= coalesce(attempt_before, 0)) as counted_wrong,
                   count(*) filter (where status = 'stored' and (status_before, attempt_before, worker_before)
                                                         is distinct from ('moving', attempt, worker)) as stored_by_others,
                   count(*) filter (where status_before = 'stored') as after_the_end,
                   count(*) filter (where status = 'stored') as stored,
                   count(*) filter (where status = 'moving') as attempts,
                   count(*) filter (where status = 'moving' and worker is null) as by_nobody
              from told
            """
        )[0]
        #expect(
            try history["held_twice", Int.self] == 0,
            "an attempt began before the one before it had ended",
            sourceLocation: sourceLocation
        )
        #expect(try history["counted_wrong", Int.self] == 0, sourceLocation: sourceLocation)
        #expect(try history["stored_by_others", Int.self] == 0, sourceLocation: sourceLocation)
        #expect(try history["after_the_end", Int.self] == 0, sourceLocation: sourceLocation)
        #expect(try history["stored", Int.self] == ids.count, sourceLocation: sourceLocation)
        #expect(try history["by_nobody", Int.self] == 0, sourceLocation: sourceLocation)
        print("chaos: \(ids.count) uploads took \(try history["attempts", Int.self]) attempts")

        // What a killed worker had stored and not deleted is found in the record by others.
        // The objects of a question to the store, which a worker was killed over, go with the sweep.
        try await eventually("nothing is left in tmp", within: .seconds(90)) {
            try await self.keys(prefix: "tmp/").allSatisfy { $0.contains("/.capabilities/") }
        }
        // Who crashed between a deletion and its note leaves both to the same later look.
        try await eventually("all of that is recorded", within: .seconds(90)) {
            try await self.number("select count(*)::float8 from s3file.tmp_deletion") == 0
        }
    }

    private func wrongBytes(_ ids: [UUID]) async throws -> [UUID] {
        try await withThrowingTaskGroup(of: UUID?.self) { group in
            var wrong: [UUID] = []
            for (number, id) in ids.enumerated() {
                if number >= 16, let found = try await group.next(), let id = found { wrong.append(id) }
                group.addTask {
                    let body = try await self.connections.s3.getObject(
                        bucket: self.connections.configuration.bucket,
                        key: "docs/\(id).txt"
                    )
                    return String(buffer: try await body.collect(upTo: 1 << 20)) == Self.text(of: id) ? nil : id
                }
            }
            for try await id in group { if let id { wrong.append(id) } }
            return wrong
        }
    }
}
