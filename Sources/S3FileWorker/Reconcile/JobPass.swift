import Foundation
import S3File

/// The queue: what waits or moves, and stands still.
struct JobPass {
    let reconciler: Reconciler

    /// For how long a worker may not have been heard of before somebody must have taken its jobs back.
    static let deadAfter = Duration.seconds(120)

    func run(_ run: inout ReconcileRun) async throws {
        // Of a queue that nobody serves all uploads stand still, for one reason: that is told once.
        var unclaimed: [String: (first: StuckJob, count: Int)] = [:]
        var after: UUID?
        repeat {
            try Task.checkCancellation()
            let (jobs, next) = try await self.page(after)
            // Once more: a worker that was about to take one, or a reaper, has done so by now.
            let again = jobs.isEmpty ? [] : Set(try await self.page(after).jobs)
            for job in jobs where again.contains(job) {
                if job.reason == .unclaimed || job.reason == .noQueue {
                    let known = unclaimed[job.queue]
                    let isOlder = known?.first.since.flatMap { first in job.since.map { $0 < first } } ?? true
                    unclaimed[job.queue] = (isOlder ? job : known?.first ?? job, (known?.count ?? 0) + 1)
                } else {
                    try await run.tell(self.disagreement(job, count: 1))
                }
            }
            run.progress(run.summary)
            after = next
        } while after != nil
        for (_, stuck) in unclaimed.sorted(by: { $0.key < $1.key }) {
            try await run.tell(self.disagreement(stuck.first, count: stuck.count))
        }
    }

    private func page(_ after: UUID?) async throws -> (jobs: [StuckJob], next: UUID?) {
        let stuckAfter = self.reconciler.options.stuckAfter
        return try await self.reconciler.queue.stuckJobs(
            after: after,
            limit: Reconciler.batch,
            due: stuckAfter,
            silent: stuckAfter,
            dead: Self.deadAfter
        )
    }

    private func disagreement(_ job: StuckJob, count: Int) -> Disagreement {
        let since = job.since.map { " since \($0.formatted(.iso8601))" } ?? ""
        let uploads = count == 1 ? "An upload is" : "\(count) uploads are"
        let (detail, repair): (String, Disagreement.Repair?) =
            switch job.reason {
            case .noUpload: ("A job is in the queue, and no upload of its id waits.", .mendJob)
            case .noQueue: ("\(uploads) in the queue \"\(job.queue)\", which there is not: make it by s3file.set_queue().", nil)
            case .workerLost: ("Its worker was lost\(since), and nobody took the job back: does a worker run?", .reap)
            case .silent: ("Worker \(job.worker.map(String.init) ?? "") has it, and has not got on with it\(since).", nil)
            case .unclaimed:
                (
                    "\(uploads) due in the queue \"\(job.queue)\", the first\(since), and no worker comes for more: does one serve it?",
                    nil
                )
            }
        return Disagreement(
            kind: .stuck,
            upload: job.id,
            bucket: self.reconciler.configuration.bucket,
            key: "",
            detail: detail,
            repair: repair
        )
    }
}
