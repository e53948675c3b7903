import Foundation
import Proof

@testable import S3File
@testable import S3FileWorker

/// What the SQL makes of what workers send.
extension SimulatedPool {
    /// As `s3file.settle` and `s3file.claim` do it, in one transaction; the answer may get lost.
    mutating func serve(_ slot: Int, _ number: Int64, _ errand: ExchangeState.Errand, _ isLate: Bool) {
        var blocked: Set<UUID> = []
        for (job, outcome) in errand.outcomes {
            guard let row = self.rows[job.id], row.holder == number, row.attempt == job.attempt, !row.isStored else {
                self.counts.refusedSettles += 1
                continue
            }
            // An open transaction of the app's has it.
            if self.happens(10) {
                blocked.insert(job.id)
                continue
            }
            if case .stored = outcome {
                self.rows[job.id]?.isStored = true
                self.stored += 1
                self.rows[job.id]?.holder = nil
            } else {
                self.putBack(job.id)
            }
        }
        var jobs: [Job] = []
        if let look = errand.look, let expiry = self.leases[number], expiry > self.now {
            while jobs.count < look.room, !self.queued.isEmpty {
                let id = self.queued.removeLast()
                let claimedAt = self.timeline.now
                self.rows[id]?.holder = number
                self.rows[id]?.claimedAt = claimedAt
                self.rows[id]?.attempt += 1
                var job = Job.sample(id: id)
                job.attempt = self.rows[id]?.attempt ?? 0
                jobs.append(job)
            }
        }
        guard !isLate else { return }
        let lost = self.happens(self.failureRate)
        self.add(
            lost
                ? .silence(slot: slot, number: number, errand)
                : .answer(slot: slot, number: number, errand, jobs, blocked: blocked),
            after: self.milliseconds(lost ? 1_000..<5_000 : 1..<20)
        )
    }

    private mutating func putBack(_ id: UUID) {
        self.rows[id]?.holder = nil
        self.queued.insert(id, at: Int.random(in: 0...self.queued.count, using: &self.generator))
    }

    /// In an order that is the same in every run.
    mutating func putBack(where isMeant: ((key: UUID, value: Row)) -> Bool) {
        for id in self.rows.filter(isMeant).keys.sorted(by: { $0.uuidString < $1.uuidString }) { self.putBack(id) }
    }

    mutating func reap() {
        for (number, expiry) in self.leases where expiry + UploadQueue.reapSlack < self.now { self.leases[number] = nil }
        self.putBack { [leases] in $0.value.holder.map { leases[$0] == nil } ?? false }
    }
}
