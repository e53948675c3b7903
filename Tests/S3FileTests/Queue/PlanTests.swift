import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// The plans of what workers do all day must not depend on statistics, which lag behind a queue: here the tables are filled after they were
/// analyzed empty, which is when a planner is most wrong.
@Suite struct PlanTests {
    /// The plans of every statement inside the functions called by `script`, as `auto_explain` tells them.
    private func plans(of script: String, jobs: Int) async throws -> String {
        try await withMigratedDatabase { client, url in
            _ = try await client.query("select s3file.register('test', 1, '0', interval '1 hour')")
            for table in ["upload", "job", "worker", "event"] {
                _ = try await client.query(SQL(unescaped: "analyze s3file.\(table)"))
            }
            _ = try await client.query(
                """
                select count(*) from s3file.enqueue_many(
                    array_fill('media'::text, array[\(Int32(jobs))]), array(select 'tmp/' || g from generate_series(1, \(Int32(jobs))) g),
                    array_fill('e'::text, array[\(Int32(jobs))]), array_fill(1::bigint, array[\(Int32(jobs))]),
                    array(select 'docs/' || g from generate_series(1, \(Int32(jobs))) g), array_fill('text/plain'::text, array[\(Int32(jobs))]),
                    array_fill('x'::text, array[\(Int32(jobs))]), array_fill(''::text, array[\(Int32(jobs))]),
                    array_fill('me'::text, array[\(Int32(jobs))]))
                """
            )
            return try await explainedPlans(of: script, url)
        }
    }

    private static let claim = "select count(*) from s3file.claim(1, 100);"
    private static let settle = """
        with mine as (select * from s3file.claim(1, 100)),
             given as (select array_agg(id) as ids, array_agg(attempt) as attempts, array_agg('stored'::text) as outcomes from mine)
        select count(s.*) from given, s3file.settle(1, given.ids, given.attempts, given.outcomes) s;
        """
    private static let reap = "delete from s3file.worker; select s3file.reap(interval '0', interval '0');"

    @Test(arguments: [claim, settle, claim + reap])
    func `a batch touches its own rows by an index, and no others`(script: String) async throws {
        let plans = try await self.plans(of: script, jobs: 3_000)
        #expect(plans.contains("Index Scan using job_pkey on job"))
        for table in ["upload", "job", "event"] { #expect(!plans.contains("Seq Scan on \(table)"), "\(plans)") }
        #expect(!plans.contains("Rows Removed by Join Filter"), "a join that compares every row with every other:\n\(plans)")
        // Nothing but the batch is read: no node gives more rows than were asked for.
        let rows = plans.matches(of: /actual rows=(\d+)/).compactMap { Int($0.1) }
        #expect(!rows.isEmpty && rows.allSatisfy { $0 <= 101 }, "\(plans)")
    }

    /// Three thousand keys of the bucket are none of these hundred's business.
    @Test(arguments: [
        "select count(*) from s3file.expire('media', array(select 'tmp/' || g from generate_series(2901, 3000) g), array_fill(1::bigint, array[100]), array_fill('e'::text, array[100]), '7 days')",
        "select count(*) from s3file.expire('media', array(select 'tmp/s3file/' || g from generate_series(1, 100) g), array_fill(1::bigint, array[100]), array_fill('e'::text, array[100]), '7 days')",
        "select count(*) from s3file.expirable('media', array(select 'tmp/' || g from generate_series(2901, 3000) g), '7 days')",
        "select count(*) from s3file.compared_by_key('media', 'docs/', 'docs/15', 100)",
        "select count(*) from s3file.compared_by_tmp_key('media', 'tmp/', 'tmp/15', 100)",
        "select count(*) from s3file.compared_again(bucket => 'media', keys => array(select 'docs/' || g from generate_series(2901, 3000) g))",
        "select count(*) from s3file.compared_again(tmp_bucket => 'media', tmp_keys => array(select 'tmp/' || g from generate_series(2901, 3000) g))",
        "select count(*) from s3file.stuck_jobs(null, 100, '1 hour', '1 hour', '1 hour')",
        "select count(*) from s3file.other_buckets('media')",
    ])
    func `a page of the sweep or of a reconciliation is read by an index, and nothing beside it`(script: String) async throws {
        let plans = try await self.plans(of: script, jobs: 3_000)
        for table in ["upload", "job"] { #expect(!plans.contains("Seq Scan on \(table)"), "\(plans)") }
        #expect(!plans.contains("Rows Removed by Join Filter"), "a join that compares every row with every other:\n\(plans)")
        let removed = plans.matches(of: /Rows Removed by (?:Filter|Index Recheck): (\d+)/).compactMap { Int($0.1) }
        #expect(removed.allSatisfy { $0 <= 101 }, "\(plans)")
        let rows = plans.matches(of: /actual rows=(\d+)/).compactMap { Int($0.1) }
        #expect(!rows.isEmpty && rows.allSatisfy { $0 <= 101 }, "\(plans)")
    }

    @Test func `the status of one upload is read by two keys`() async throws {
        let plan = try await self.plans(
            of: "select * from s3file.upload_status where id = (select upload_id from s3file.job limit 1)",
            jobs: 3_000
        )
        #expect(
            plan.contains("Index Scan using upload_pkey on upload") && plan.contains("Index Scan using job_pkey on job"),
            "\(plan)"
        )
    }
}
