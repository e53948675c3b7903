package import Foundation
import Postgres

/// How an attempt ended.
package enum Outcome: Sendable, Equatable {
    /// The object is at its key; S3 said so with an ETag.
    case stored(etag: String, versionID: String?)
    /// Another attempt may help, after `delay` or the queue's own backoff.
    case retry(code: String, message: String, delay: Duration?)
    /// The store refuses this worker, whatever the file: credentials, rights, or the bucket itself. The file waits until somebody has mended
    /// it, and it costs no attempt.
    case parked(code: String, message: String)
    /// No attempt will help.
    case failed(code: String, message: String)
    /// Stopped before it was decided: the attempt is given back, as if it had not been claimed.
    case givenBack
}

extension UploadQueue {
    /// Settles many attempts in one statement, each fenced by its id, attempt and worker.
    ///
    /// - Returns: the ids for which it took effect, with their new status. The others were lost to another attempt: whoever holds them
    ///   now decides, and nothing may be done on their behalf.
    package func settle(_ outcomes: [(job: Job, outcome: Outcome)], worker: Int64) async throws -> [UUID: UploadStatus] {
        guard !outcomes.isEmpty else { return [:] }
        var states: [Int16] = []
        var delays: [Double?] = []
        var codes: [String?] = []
        var messages: [String?] = []
        var etags: [String?] = []
        var versions: [String?] = []
        for (_, outcome) in outcomes {
            var (delay, code, message, etag, version): (Double?, String?, String?, String?, String?)
            switch outcome {
            case .stored(let storedETag, let versionID):
                states.append(UploadStatus.stored.state)
                (etag, version) = (storedETag, versionID)
            case .retry(let errorCode, let errorMessage, let after):
                states.append(UploadStatus.queued.state)
                (delay, code, message) = (after.map(Self.seconds), errorCode, errorMessage)
            case .parked(let errorCode, let errorMessage):
                states.append(Self.parked)
                (delay, code, message) = (Self.seconds(Self.parkingTime), errorCode, errorMessage)
            case .failed(let errorCode, let errorMessage):
                states.append(UploadStatus.failed.state)
                (code, message) = (errorCode, errorMessage)
            case .givenBack:
                states.append(Self.givenBack)
            }
            delays.append(delay)
            codes.append(code.map { String($0.prefix(100)) })
            messages.append(message.map { String($0.prefix(1_000)) })
            etags.append(etag)
            versions.append(version)
        }
        let rows = try await self.client.query(
            """
            update s3file.upload j
               set state = case
                       when t.outcome not in (2, 3) and j.cancel_requested then 4
                       when t.outcome = 0 and j.attempt >= j.max_attempts then 3
                       when t.outcome in (\(Self.givenBack), \(Self.parked)) then 0
                       else t.outcome end,
                   finished_at = case
                       when t.outcome in (2, 3) or j.cancel_requested or (t.outcome = 0 and j.attempt >= j.max_attempts) then now() end,
                   max_attempts = case
                       when t.outcome in (\(Self.givenBack), \(Self.parked)) then least(j.max_attempts + 1, 32767) else j.max_attempts end,
                   run_at = case
                       when t.outcome in (0, \(Self.parked)) then now() + make_interval(secs =>
                           coalesce(t.delay, least(power(j.attempt, 4), 3600) * (0.9 + 0.2 * random())))
                       when t.outcome = \(Self.givenBack) then now()
                       else j.run_at end,
                   worker = null, updated_at = now(),
                   error_code = t.code, error_message = t.message, error_retryable = case when t.code is not null then t.outcome <> 3 end,
                   stored_etag = t.etag, stored_version_id = t.version
              from unnest(\(outcomes.map(\.job.id))::uuid[], \(outcomes.map(\.job.attempt))::smallint[], \(states)::smallint[],
                          \(delays)::float8[], \(codes)::text[], \(messages)::text[], \(etags)::text[], \(versions)::text[])
                   as t(id, attempt, outcome, delay, code, message, etag, version)
             where j.id = any(\(outcomes.map(\.job.id))::uuid[]) and j.id = t.id
               and j.attempt = t.attempt and j.worker = \(worker) and j.state = 1
            returning j.id, j.state
            """,
            timeout: .after(.seconds(5))
        )
        var settled: [UUID: UploadStatus] = [:]
        for row in rows {
            settled[try row["id", UUID.self]] = UploadStatus(state: try row["state", Int16.self])
        }
        return settled
    }

    /// How long a parked upload waits for the store to be mended.
    static let parkingTime = Duration.seconds(60)

    // Outcomes that are no states. Both raise the limit and leave the attempt as it is: the attempt is the fencing token, and is never
    // used twice.
    private static let givenBack: Int16 = 10
    private static let parked: Int16 = 11
}
