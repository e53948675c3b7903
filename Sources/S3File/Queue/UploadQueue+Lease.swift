package import Foundation
import Postgres

extension UploadQueue {
    /// How long a worker lives after its last heartbeat.
    package static let leaseDuration = Duration.seconds(15)
    /// How often it beats.
    package static let heartbeatInterval = Duration.seconds(5)
    /// How much later than its lease's end a worker's jobs are taken away, so that clocks need not agree to the millisecond.
    package static let reapSlack = Duration.seconds(5)

    /// Registers a worker process and begins its lease.
    ///
    /// - Returns: its number, never used before.
    package func register(host: String, pid: Int32, version: String) async throws -> Int64 {
        let rows = try await self.client.query(
            """
            insert into s3file.worker (host, pid, version, expires_at)
            values (\(host), \(pid), \(version), now() + make_interval(secs => \(Self.seconds(Self.leaseDuration))))
            returning id
            """
        )
        return try rows[0]["id", Int64.self]
    }

    /// Prolongs the lease. `false` is final: the lease ran out, others may have taken the jobs, and this worker must drop its results.
    package func beat(worker: Int64) async throws -> Bool {
        let rows = try await self.client.query(
            """
            update s3file.worker
               set seen_at = now(), expires_at = now() + make_interval(secs => \(Self.seconds(Self.leaseDuration)))
             where id = \(worker) and expires_at > now()
            returning 1 as alive
            """,
            // One dead connection must not cost the lease: the next beat takes another.
            timeout: .after(.seconds(3))
        )
        return !rows.isEmpty
    }

    /// Ends the lease. Jobs that it still holds are free at once.
    package func unregister(worker: Int64) async throws {
        _ = try await self.client.query("delete from s3file.worker where id = \(worker)")
    }

    /// Puts back what this worker holds by the record, and does not know of: the reply to its claim, or the settle of it, was lost.
    ///
    /// - Parameter inFlight: all that it does know of.
    package func giveBackUnknown(worker: Int64, inFlight: [UUID]) async throws -> Int {
        try await self.client.query(
            """
            update s3file.upload
               set state = case when cancel_requested then 4 else 0 end, worker = null, run_at = now(), updated_at = now(),
                   finished_at = case when cancel_requested then now() end
             where state = 1 and worker = \(worker) and id <> all(\(inFlight)::uuid[])
            """,
            timeout: .after(.seconds(5))
        ).affected
    }

    /// Takes the jobs of dead workers back into the queue; those that have used up their attempts end as failed.
    ///
    /// One statement, starting from the jobs: a row that is locked just now is found again next time.
    ///
    /// - Returns: how many were taken back.
    package func reap() async throws -> Int {
        try await self.client.pipeline([
            """
            with lost as materialized (
                select id from s3file.upload j
                 where j.state = 1
                   and not exists (select from s3file.worker w
                                    where w.id = j.worker
                                      and w.expires_at >= now() - make_interval(secs => \(Self.seconds(Self.reapSlack))))
                 limit 500 for no key update skip locked)
            update s3file.upload j
               set state = case when j.cancel_requested then 4 when j.attempt >= j.max_attempts then 3 else 0 end,
                   worker = null, updated_at = now(),
                   finished_at = case when j.cancel_requested or j.attempt >= j.max_attempts then now() end,
                   run_at = now() + least(power(j.attempt, 4), 3600) * (0.9 + 0.2 * random()) * interval '1 second',
                   error_code = 'worker_lost', error_message = 'The worker that copied this file died.', error_retryable = true
             where j.id = any(array(select id from lost))
            returning j.id
            """,
            """
            delete from s3file.worker w
             where w.expires_at < now() - interval '1 hour'
               and not exists (select from s3file.upload j where j.worker = w.id and j.state = 1)
            """,
        ])[0].count
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
