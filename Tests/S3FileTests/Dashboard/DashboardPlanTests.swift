import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// What the dashboard asks costs no more when there is more.
@Suite struct DashboardPlanTests {
    /// 30,000 uploads that were stored, 3,000 that failed, 20,000 that wait, and as many events as there would be.
    private static let population = """
        insert into s3file.upload (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, bucket, key, owner, finished_at,
                                   error_code, error_message, error_retryable)
        select s3file.uuid_v7(), case when i > 33000 then 0 when i % 11 = 0 then 3 else 2 end, 'x', 'text/plain', i, 'media', 'tmp/' || i, 'e',
               'media', 'docs/' || i, 'owner ' || i % 10, case when i <= 33000 then now() end,
               case when i <= 33000 and i % 11 = 0 then case when i % 2 = 0 then 'AccessDenied' else 'NoSuchKey' end end, 'No.', false
          from generate_series(1, 53000) i;
        insert into s3file.job (upload_id) select id from s3file.upload where state = 0;
        insert into s3file.event (upload_ids, states, attempts, at)
        select array_agg(id), array_agg(state), array_agg(1::smallint), now() - interval '1 hour' + n * interval '60 ms'
          from (select id, state, row_number() over (order by id) / 5 as n from s3file.upload) u group by n;
        insert into s3file.event (upload_ids, states, attempts, at)
        select array[s3file.uuid_v7()], array[1::smallint], array[1::smallint], now() - interval '30 minutes' + i * interval '60 ms'
          from generate_series(1, 30000) i;
        insert into s3file.worker (host, pid, version, expires_at) values ('h', 1, '0', now() + interval '1 hour');
        """

    /// - Parameters:
    ///   - script: what is asked.
    ///   - most: rows that any step of it reads.
    private func expect(_ script: String, reads most: Int) async throws {
        try await withMigratedDatabase { client, url in
            for table in ["upload", "job", "worker", "event"] {
                _ = try await client.query(SQL(unescaped: "analyze s3file.\(table)"))
            }
            try await client.withConnection { try await $0.simple(Self.population) }
            let plans = try await explainedPlans(of: script, url)
            for table in ["upload", "job", "event"] { #expect(!plans.contains("Seq Scan on \(table)"), "\(plans)") }
            let rows = plans.matches(of: /actual rows=(\d+)/).compactMap { Int($0.1) }
            #expect(!rows.isEmpty && rows.allSatisfy { $0 <= most }, "\(plans)")
            let removed = plans.matches(of: /Rows Removed by (?:Filter|Index Recheck): (\d+)/).compactMap { Int($0.1) }
            #expect(removed.allSatisfy { $0 <= most }, "\(plans)")
        }
    }

    @Test(arguments: [
        ("select * from s3file.rates(at_most => 500, sample => 100)", 1_000),
        ("select * from s3file.failures(at_most => 100)", 100),
        ("select * from s3file.bucket_reading()", 100),
        ("select * from s3file.worker_reading()", 100),
        ("select * from s3file.with_error('AccessDenied', null, 50)", 50),
        ("select * from s3file.retry_failed('AccessDenied', null, 50)", 50),
        ("select * from s3file.search('docs/1', 50)", 50),
        ("select * from s3file.search('tmp/999', 50)", 50),
        ("select * from s3file.search('owner 3', 50)", 50),
        ("select * from s3file.timeline((select upload_ids[1] from s3file.event order by id limit 1), 400)", 400),
        ("select * from s3file.whereabouts((select upload_ids[1] from s3file.event order by id limit 1))", 1),
    ])
    func `a question reads what it shows, by an index, and no table`(script: String, most: Int) async throws {
        try await self.expect(script, reads: most)
    }
}
