import Foundation
import Proof
import Logging
import TestEnvironment

@testable import S3
@testable import S3File
@testable import S3FileWorker

/// A worker as its process sees itself; a new one takes its place when it has lost its lease or was killed.
///
/// Unchecked: as ``SimulatedMove``, of which it is a part.
final class SimulatedWorker: @unchecked Sendable {
    let number: Int64
    var sentAt: Duration
    var isLost = false
    var isDead = false
    var isBusy = false
    var stoppedUntil = Duration.zero
    var waiters: [UnsafeContinuation<Void, any Error>] = []

    init(number: Int64, sentAt: Duration) {
        self.number = number
        self.sentAt = sentAt
    }

    func isCertain(at now: Duration) -> Bool {
        !self.isLost && !self.isDead && now < self.sentAt + UploadQueue.leaseDuration - WorkerLease.margin
    }
}

/// What workers and the table do with each other.
extension SimulatedMove {
    func register(_ slot: Int) {
        guard !self.isOver else { return }
        self.lastWorker += 1
        let worker = SimulatedWorker(number: self.lastWorker, sentAt: self.timeline.now)
        self.leases[worker.number] = self.timeline.now + UploadQueue.leaseDuration
        if slot < self.workers.count { self.workers[slot] = worker } else { self.workers.append(worker) }
        self.after(UploadQueue.heartbeatInterval) { self.beat(worker, slot) }
        self.after(self.milliseconds(0..<300)) { self.claim(worker) }
        if self.happens(500) { self.after(self.milliseconds(0..<60_000)) { self.strike(worker, slot) } }
    }

    /// To a process: one that is stopped hears of it later.
    func deliver(_ worker: SimulatedWorker, _ event: @escaping () -> Void) {
        guard worker.stoppedUntil > self.timeline.now, !worker.isDead else { return event() }
        self.after(worker.stoppedUntil - self.timeline.now) { self.deliver(worker, event) }
    }

    private func strike(_ worker: SimulatedWorker, _ slot: Int) {
        guard self.isFaulty, !worker.isDead, !worker.isLost else { return }
        if self.happens(400) {
            self.end(worker)
            self.after(self.milliseconds(500..<5_000)) { self.register(slot) }
        } else {
            self.stop(worker, self.milliseconds(1_000..<40_000))
            self.after(self.milliseconds(20_000..<60_000)) { self.strike(worker, slot) }
        }
    }

    func stop(_ worker: SimulatedWorker, _ duration: Duration) {
        self.note("worker \(worker.number) is stopped for \(duration)")
        worker.stoppedUntil = max(worker.stoppedUntil, self.timeline.now + duration)
    }

    /// As SIGKILL does. Its tasks end, and are heard of no more.
    func end(_ worker: SimulatedWorker) {
        if self.row.status == .moving { self.note("worker \(worker.number) is killed") }
        worker.isDead = true
        self.release(worker, throwing: CancellationError())
    }

    private func release(_ worker: SimulatedWorker, throwing error: (any Error)? = nil) {
        let waiters = worker.waiters
        worker.waiters = []
        for waiter in waiters { if let error { waiter.resume(throwing: error) } else { waiter.resume() } }
    }

    // MARK: Leases

    private func beat(_ worker: SimulatedWorker, _ slot: Int) {
        guard !worker.isDead, !self.isOver else { return }
        self.deliver(worker) {
            guard !worker.isDead else { return }
            let sentAt = self.timeline.now
            self.after(UploadQueue.heartbeatInterval) { self.beat(worker, slot) }
            guard !self.goesWrong(self.shape.failureRate) else { return }
            self.after(self.milliseconds(1..<50)) {
                let isAlive = self.leases[worker.number] != nil
                if isAlive { self.leases[worker.number] = self.timeline.now + UploadQueue.leaseDuration }
                self.after(self.milliseconds(1..<50)) {
                    self.deliver(worker) { self.beaten(worker, slot, sentAt: sentAt, isAlive: isAlive) }
                }
            }
        }
    }

    private func beaten(_ worker: SimulatedWorker, _ slot: Int, sentAt: Duration, isAlive: Bool) {
        guard !worker.isDead, !worker.isLost else { return }
        guard isAlive else {
            worker.isLost = true
            self.release(worker, throwing: LeaseLost())
            return self.register(slot)
        }
        worker.sentAt = max(worker.sentAt, sentAt)
        if worker.isCertain(at: self.timeline.now) { self.release(worker) }
    }

    func checkLease(_ worker: SimulatedWorker) async throws {
        if worker.isDead { throw CancellationError() }
        if self.flaw == .ignoresLease { return }
        if worker.isLost { throw LeaseLost() }
        if worker.isCertain(at: self.timeline.now) { return }
        try await withUnsafeThrowingContinuation { worker.waiters.append($0) }
    }

    func reap() {
        for (number, expiry) in self.leases where expiry + UploadQueue.reapSlack < self.timeline.now { self.leases[number] = nil }
        if let holder = self.row.holder, self.leases[holder] == nil { self.putBack(after: .zero) }
        if !self.isOver { self.after(.seconds(2)) { self.reap() } }
    }

    private func putBack(after delay: Duration) {
        self.row.holder = nil
        self.row.status = .queued
        self.row.runAt = self.timeline.now + delay
    }

    // MARK: Claim and settle

    private func claim(_ worker: SimulatedWorker) {
        guard !worker.isDead, !worker.isLost, !self.isOver else { return }
        self.after(.milliseconds(300)) { self.claim(worker) }
        guard worker.stoppedUntil <= self.timeline.now, !worker.isBusy, worker.isCertain(at: self.timeline.now),
            self.row.status == .queued, self.row.runAt <= self.timeline.now, self.leases[worker.number] != nil
        else { return }
        self.row.status = .moving
        self.row.holder = worker.number
        self.row.attempt += 1
        worker.isBusy = true
        var job = self.job
        job.attempt = self.row.attempt
        self.after(self.milliseconds(1..<20)) { [job] in self.deliver(worker) { self.begin(job, worker) } }
    }

    private func begin(_ job: Job, _ worker: SimulatedWorker) {
        self.attempts += 1
        self.running += 1
        self.note("worker \(worker.number) begins attempt \(job.attempt)")
        Task(executorPreference: self.executor) {
            let outcome = await self.move(job, worker)
            self.running -= 1
            worker.isBusy = false
            self.settle(job, outcome, worker)
        }
    }

    private func move(_ job: Job, _ worker: SimulatedWorker) async -> Outcome {
        var options = WorkerPool.Options()
        options.copyLimit = self.shape.copyLimit
        let requests = SimulatedRequests(world: self, worker: worker)
        var attempt = Attempt(job: job, worker: worker.number, record: requests, logger: .quiet) {
            try await self.checkLease(worker)
        }
        func mover() -> Mover {
            Mover(
                store: requests,
                options: options,
                capabilities: self.shape.told,
                attempt: attempt,
                clock: self.clock(of: worker)
            )
        }
        if self.shape.prepares, mover().asksFirst {
            attempt.preparation = await mover().prepare()
            try? await self.clock(of: worker).sleep(self.milliseconds(0..<1_000))
        }
        return await mover().move()
    }

    private func settle(_ job: Job, _ outcome: Outcome, _ worker: SimulatedWorker) {
        guard !worker.isDead, !worker.isLost else { return }
        // Lost answers are asked for again, whether or not the question came.
        if self.goesWrong(self.shape.failureRate) {
            self.after(self.milliseconds(1_000..<3_000)) { self.deliver(worker) { self.settle(job, outcome, worker) } }
            guard self.happens(500) else { return }
        }
        self.after(self.milliseconds(1..<50)) {
            let isFenced = self.row.holder == worker.number && self.row.attempt == job.attempt && self.row.status == .moving
            guard isFenced || self.flaw == .settlesWithoutFence else {
                self.refusedSettles += 1
                return
            }
            self.record(outcome)
        }
    }

    private func record(_ outcome: Outcome) {
        self.note("recorded: \(outcome)")
        self.checkEnd(outcome)
        switch outcome {
        case .stored:
            self.row.status = .stored
            self.row.holder = nil
            self.after(self.milliseconds(100..<20_000)) {
                self.store.deleteTmp(etag: self.job.etag, version: self.job.versionID)
            }
        case .failed:
            self.row.status = .failed
            self.row.holder = nil
        case .retry(_, _, let delay): self.putBack(after: delay ?? self.milliseconds(500..<5_000))
        case .parked, .givenBack: self.putBack(after: self.milliseconds(500..<5_000))
        }
    }
}
