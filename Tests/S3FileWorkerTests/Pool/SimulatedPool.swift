import Foundation
import NIOCore
import NIOPosix
import Proof

@testable import S3File
@testable import S3FileWorker

/// Workers and their table without processes, sockets or time: each worker is an ``ExchangeState`` and what it believes of its lease, the table is
/// what the SQL makes of it, and a seed decides what happens when. The clock goes from one event to the next.
struct SimulatedPool {
    typealias Instant = ContinuousClock.Instant

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    /// A row of the queue, and what became of it.
    struct Row {
        var holder: Int64?
        var claimedAt = Duration.zero
        var attempt: Int16 = 0
        var isStored = false
    }

    struct Worker {
        var number: Int64
        var state: ExchangeState
        var lease: WorkerLease
        var slots: Set<UUID> = []
        /// Of those, what has gone to the store.
        var moving: Set<UUID> = []
        /// What waits until the lease is certain again, as `WorkerLease.check` lets no request begin before.
        var held: [Job] = []
        /// The attempt for which it asked last.
        var prepared: [UUID: Int16] = [:]
        /// What it waits for by its clock: an earlier alarm is not heard any more.
        var alarm = 0
        /// Until then the process is stopped: what comes for it waits.
        var stoppedUntil: Instant
    }

    /// In a box, as the heap moves them about.
    indirect enum Event {
        case bell(slot: Int, number: Int64)
        case alarm(slot: Int, number: Int64, Int)
        case look(slot: Int, number: Int64)
        /// One that is late is that of a request which its worker has taken for lost.
        case arrival(slot: Int, number: Int64, ExchangeState.Errand, isLate: Bool)
        case answer(slot: Int, number: Int64, ExchangeState.Errand, [Job], blocked: Set<UUID>)
        case silence(slot: Int, number: Int64, ExchangeState.Errand)
        case comparison(slot: Int, number: Int64, [UUID], asOf: Duration, isLate: Bool)
        case compared(slot: Int, number: Int64, Bool)
        case moveEnd(slot: Int, number: Int64, Job)
        case beat(slot: Int, number: Int64)
        case beaten(slot: Int, number: Int64, sentAt: Instant, alive: Bool)
        case stop(slot: Int)
        case reap
    }

    var generator: SeededGenerator
    private let beginning = Instant.now
    var timeline = Timeline<Event>()
    var now: Instant { self.beginning + self.timeline.now }
    var rows: [UUID: Row] = [:]
    var queued: [UUID] = []
    var leases: [Int64: Instant] = [:]
    private var lastNumber: Int64 = 0
    private var workers: [Worker] = []
    let failureRate: Int
    let flaw: Flaw?

    /// What happened how often, in one run or in many.
    struct Counts: Equatable {
        var steps = 0
        var attempts = 0
        var prepared = 0
        var lostLeases = 0
        var refusedSettles = 0

        mutating func add(_ other: Self) {
            self.steps += other.steps
            self.attempts += other.attempts
            self.prepared += other.prepared
            self.lostLeases += other.lostLeases
            self.refusedSettles += other.refusedSettles
        }
    }

    /// What a worker might get wrong, and must be found then.
    enum Flaw: CaseIterable {
        /// It does not wait until its lease is certain.
        case beginsUnderAnyLease
        /// A comparison counts for what was claimed after it was made, too.
        case comparesWithoutTime
    }

    private static let nothing = MultiThreadedEventLoopGroup.singleton.any().makeSucceededFuture(Preparation?.none)

    var counts = Counts()
    var stored = 0
    private var left: Int { self.rows.count - self.stored }

    /// - Parameter failureRate: of a thousand requests to the table, so many get lost, and as many answers.
    init(seed: UInt64, workers: Int, jobs: Int, failureRate: Int, flaw: Flaw? = nil) {
        self.flaw = flaw
        self.generator = SeededGenerator(seed: seed)
        self.failureRate = failureRate
        for _ in 0..<jobs {
            let id = UUID(uuid: withUnsafeBytes(of: (self.generator.next(), self.generator.next())) { $0.load(as: uuid_t.self) })
            self.rows[id] = Row()
            self.queued.append(id)
        }
        for slot in 0..<workers { self.register(slot) }
        self.add(.reap, after: .seconds(2))
    }

    /// Of a shape that the seed decides, too.
    init(seed: UInt64, flaw: Flaw? = nil) {
        var shape = SeededGenerator(seed: seed, purpose: 1)
        self.init(
            seed: seed,
            workers: .random(in: 1...8, using: &shape),
            jobs: .random(in: 1...800, using: &shape),
            failureRate: .random(in: 0...150, using: &shape),
            flaw: flaw
        )
    }

    /// Until all is stored; throws when something happened that never may, or when nothing happens any more.
    mutating func run(most: Int) async throws {
        while self.left > 0 {
            self.counts.steps += 1
            guard self.counts.steps < most, let next = self.timeline.next() else {
                throw Broken(description: "\(self.left) jobs are left after \(self.counts.steps) steps")
            }
            try self.handle(next)
            // Other tests have threads to wait for, and not long.
            if self.counts.steps.isMultiple(of: 256) { await Task.yield() }
        }
    }

    // MARK: Time

    mutating func add(_ event: Event, after duration: Duration) {
        self.timeline.add(event, after: duration)
    }

    mutating func milliseconds(_ range: Range<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self.generator))
    }
    mutating func happens(_ ofThousand: Int) -> Bool { Int.random(in: 0..<1_000, using: &self.generator) < ofThousand }

    // MARK: What happens

    private mutating func handle(_ event: Event) throws {
        switch event {
        case .bell(let slot, let number):
            guard self.reaches(slot, number, event) else { return }
            try self.turn(slot)
        case .alarm(let slot, let number, let alarm):
            guard self.reaches(slot, number, event), self.workers[slot].alarm == alarm else { return }
            try self.turn(slot)
        case .look(let slot, let number):
            guard self.reaches(slot, number, event) else { return }
            self.ring(slot, notified: false)
            self.add(.look(slot: slot, number: number), after: .seconds(1))
        case .arrival(let slot, let number, let errand, let isLate): self.serve(slot, number, errand, isLate)
        case .answer(let slot, let number, let errand, let jobs, let blocked):
            guard self.reaches(slot, number, event) else { return }
            self.workers[slot].state.done(errand, claimed: jobs, blocked: blocked, now: self.now)
            self.wake(slot)
        case .silence(let slot, let number, let errand):
            guard self.reaches(slot, number, event) else { return }
            self.workers[slot].state.failed(errand, now: self.now)
            self.wake(slot)
        case .comparison(let slot, let number, let inFlight, let asOf, let isLate):
            let known = Set(inFlight)
            self.putBack { [flaw] in
                $0.value.holder == number && !known.contains($0.key)
                    && ($0.value.claimedAt <= asOf || flaw == .comparesWithoutTime)
            }
            guard !isLate else { return }
            let lost = self.happens(self.failureRate)
            self.add(
                .compared(slot: slot, number: number, !lost),
                after: self.milliseconds(lost ? 1_000..<5_000 : 1..<20)
            )
        case .compared(let slot, let number, let worked):
            guard self.reaches(slot, number, event) else { return }
            self.workers[slot].state.compared(worked, now: self.now)
            self.ring(slot, notified: true)
        case .moveEnd(let slot, let number, let job):
            guard self.reaches(slot, number, event) else { return }
            self.workers[slot].slots.remove(job.id)
            self.workers[slot].moving.remove(job.id)
            let outcome: Outcome =
                self.happens(50) ? .retry(code: "x", message: "x", delay: nil) : .stored(etag: "e", versionID: nil)
            let ended = self.workers[slot].state.moved((job, outcome), now: self.now)
            if let next = ended.next { try self.begin(next, slot) }
            if ended.isReason { self.wake(slot) }
        case .beat(let slot, let number):
            guard self.reaches(slot, number, event) else { return }
            self.add(.beat(slot: slot, number: number), after: UploadQueue.heartbeatInterval)
            guard !self.happens(self.failureRate) else { return }
            let alive = self.leases[number] != nil
            if alive { self.leases[number] = self.now + UploadQueue.leaseDuration }
            self.add(.beaten(slot: slot, number: number, sentAt: self.now, alive: alive), after: self.milliseconds(1..<30))
        case .beaten(let slot, let number, let sentAt, let alive):
            guard self.reaches(slot, number, event) else { return }
            guard alive else {
                self.counts.lostLeases += 1
                return self.register(slot)
            }
            let wasCertain = self.isCertain(self.workers[slot])
            self.workers[slot].lease.prolong(sentAt: sentAt)
            guard !wasCertain, self.isCertain(self.workers[slot]) else { return }
            for id in self.workers[slot].moving { try self.requireAlone(id, slot) }
            let held = self.workers[slot].held
            self.workers[slot].held = []
            for job in held { try self.start(job, slot) }
            self.ring(slot, notified: true)
        case .stop(let slot):
            self.workers[slot].stoppedUntil = self.now + self.milliseconds(1_000..<30_000)
            self.add(.stop(slot: slot), after: self.milliseconds(20_000..<200_000))
        case .reap:
            self.reap()
            self.add(.reap, after: .seconds(2))
        }
    }

    /// Whether the worker there is the one that is meant; one that is stopped gets the event later.
    private mutating func reaches(_ slot: Int, _ number: Int64, _ event: Event) -> Bool {
        guard self.workers[slot].number == number else { return false }
        let stoppedUntil = self.workers[slot].stoppedUntil
        guard stoppedUntil <= self.now else {
            self.add(event, after: stoppedUntil - self.now)
            return false
        }
        return true
    }

    private mutating func wake(_ slot: Int) {
        self.add(.bell(slot: slot, number: self.workers[slot].number), after: .zero)
    }

    /// There may be jobs.
    private mutating func ring(_ slot: Int, notified: Bool) {
        self.workers[slot].state.ring(notified: notified)
        self.wake(slot)
    }

    // MARK: A worker

    private mutating func register(_ slot: Int) {
        self.lastNumber += 1
        let number = self.lastNumber
        self.leases[number] = self.now + UploadQueue.leaseDuration
        let worker = Worker(
            number: number,
            state: ExchangeState(concurrency: 4, mostErrands: 2, drainTimeout: .seconds(20), now: self.now),
            lease: WorkerLease(worker: number, duration: UploadQueue.leaseDuration, sentAt: self.now),
            stoppedUntil: self.now
        )
        if slot < self.workers.count {
            self.workers[slot] = worker
        } else {
            self.workers.append(worker)
            self.add(.stop(slot: slot), after: self.milliseconds(1_000..<60_000))
        }
        self.add(.beat(slot: slot, number: number), after: UploadQueue.heartbeatInterval)
        self.add(.look(slot: slot, number: number), after: .zero)
    }

    private func isCertain(_ worker: Worker) -> Bool {
        worker.lease.isCertain(now: self.now)
    }

    private mutating func turn(_ slot: Int) throws {
        let number = self.workers[slot].number
        while true {
            let step = self.workers[slot].state.next(now: self.now, mayClaim: self.isCertain(self.workers[slot]))
            switch step {
            case .move(let jobs): for job in jobs { try self.begin(job, slot) }
            case .exchange(let errand):
                guard self.happens(self.failureRate) else {
                    self.add(.arrival(slot: slot, number: number, errand, isLate: false), after: self.milliseconds(1..<20))
                    continue
                }
                self.add(.silence(slot: slot, number: number, errand), after: self.milliseconds(1_000..<5_000))
                if self.happens(500) {
                    self.add(.arrival(slot: slot, number: number, errand, isLate: true), after: self.milliseconds(1..<20_000))
                }
            case .giveBackOthers(let inFlight):
                let asOf = self.timeline.now
                func comparison(isLate: Bool) -> Event {
                    .comparison(slot: slot, number: number, inFlight, asOf: asOf, isLate: isLate)
                }
                guard self.happens(self.failureRate) else {
                    self.add(comparison(isLate: false), after: self.milliseconds(1..<20))
                    continue
                }
                self.add(.compared(slot: slot, number: number, false), after: self.milliseconds(1_000..<5_000))
                if self.happens(500) { self.add(comparison(isLate: true), after: self.milliseconds(1..<20_000)) }
            case .wait(let until):
                self.workers[slot].alarm += 1
                if let until {
                    self.add(
                        .alarm(slot: slot, number: number, self.workers[slot].alarm),
                        after: max(until - self.now, .milliseconds(1))
                    )
                }
                guard self.workers[slot].slots.count <= 4 else { throw Broken(description: "more moves than slots") }
                return
            case .cancelMoves, .end: throw Broken(description: "nobody asked it to stop")
            }
        }
    }

    private mutating func begin(_ job: Job, _ slot: Int) throws {
        guard self.workers[slot].slots.insert(job.id).inserted else {
            throw Broken(description: "a job has two slots of a worker")
        }
        self.counts.attempts += 1
        var asked: [Job] = []
        let isPrepared =
            self.workers[slot].state.turn(of: job) { upcoming in
                asked.append(upcoming)
                return Self.nothing
            } != nil
        for upcoming in asked { self.workers[slot].prepared[upcoming.id] = upcoming.attempt }
        if isPrepared {
            guard self.workers[slot].prepared[job.id] == job.attempt else {
                throw Broken(description: "an attempt has what was asked for another")
            }
            self.counts.prepared += 1
        }
        if self.isCertain(self.workers[slot]) || self.flaw == .beginsUnderAnyLease {
            try self.start(job, slot)
        } else {
            self.workers[slot].held.append(job)
        }
    }

    private mutating func start(_ job: Job, _ slot: Int) throws {
        try self.requireAlone(job.id, slot)
        self.workers[slot].moving.insert(job.id)
        // Now and then one that outlives a lease.
        let duration = self.happens(20) ? self.milliseconds(5_000..<40_000) : self.milliseconds(1..<400)
        self.add(.moveEnd(slot: slot, number: self.workers[slot].number, job), after: duration)
    }

    private func requireAlone(_ id: UUID, _ slot: Int) throws {
        for (other, worker) in self.workers.enumerated()
        where other != slot && worker.moving.contains(id) && self.isCertain(worker) {
            throw Broken(description: "a job is moved while worker \(worker.number) moves it under a certain lease")
        }
    }
}
