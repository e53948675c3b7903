import DequeModule
import Foundation
import NIOCore
import S3File

/// What goes back and forth between a worker and the queue, as a state without sockets: what is in flight, which outcomes wait to be settled,
/// and what is to be done next. ``Exchange`` does it.
///
/// Under load the outcomes of some jobs and the claim of the next go to Postgres together: one round trip and one commit. A few such
/// exchanges may be under way at once, so that Postgres works while we do. No job waits for its settle before another takes its place.
///
/// Where moves are short, more are claimed than there are slots, so that a slot that falls free need not wait for Postgres: as many as will
/// have begun within ``aheadTime``, or in the time of a few exchanges where these are slow; and more are fetched when half of them have.
/// Other workers might be idle meanwhile, so what does not begin soon is given back.
struct ExchangeState {
    typealias Instant = ContinuousClock.Instant
    typealias Ended = (job: Job, outcome: Outcome)

    /// One round trip.
    struct Errand: Sendable {
        var outcomes: [Ended]
        var look: Lookout.Look?
        /// Some were sent before, and could not be recorded.
        var isAgain = false
        fileprivate var sentAt: Instant
    }

    enum Step {
        /// Start moving these.
        case move([Job])
        case exchange(Errand)
        /// Ask Postgres to put back what it believes us to have in flight, and we do not; then call ``compared(_:now:)``.
        case giveBackOthers([UUID])
        /// End the moves; each of them still has an outcome.
        case cancelMoves
        case wait(until: Instant?)
        case end
    }

    /// Outcomes wait this long for others, while there are any to come.
    static let gatherTime = Duration.milliseconds(10)
    /// The same while there is work at hand: a claim that takes them along is not far.
    static let busyGatherTime = Duration.milliseconds(50)
    /// How much of the next work is claimed beyond the slots, and how much at most where an exchange takes long.
    static let aheadTime = Duration.milliseconds(100)
    static let longestAheadTime = Duration.milliseconds(200)
    /// Half of what is ahead is to last for one exchange, and twice if need be.
    static let aheadExchanges = 4
    /// What waits longer than this for a slot goes back to the queue.
    static let longestWait = Duration.milliseconds(500)
    /// Less than a quarter of the room is worth a claim this often.
    static let smallClaimInterval = Duration.milliseconds(50)
    static let largestBatch = 500
    /// How often what the record says of this worker is compared with what it knows.
    static let comparisonInterval = Duration.seconds(10)
    /// What an open transaction keeps from being settled is sent again so often.
    static let blockedInterval = Duration.seconds(1)
    static let firstBackoff = Duration.milliseconds(100)
    static let longestBackoff = Duration.seconds(1)
    /// How long outcomes are still sent after the moves were cancelled at a shutdown.
    static let lastSettleTime = Duration.seconds(10)

    let concurrency: Int
    let mostErrands: Int
    let drainTimeout: Duration

    private(set) var lookout = Lookout()
    /// Claimed, and waiting for a slot.
    private var waiting: Deque<Job> = []
    private var waitingSince: Instant?
    /// Of those, from the first on, so many are prepared or being so; and what comes of it.
    private var inPreparation = 0
    private var preparations: [UUID: EventLoopFuture<Preparation?>] = [:]
    private var moving: Set<UUID> = []
    private var pace = Pace()
    /// How long an exchange takes, of late.
    private var exchangeTime = Duration.zero
    private var pending: [Ended] = []
    private var oldestPending: Instant?
    /// Outcomes whose jobs somebody's open transaction holds. They wait apart, lest all others wait with them.
    private var blocked: [UUID: Ended] = [:]
    private var blockedUntil: Instant?
    private var hasTakenUpBlocked = false
    private var errands = 0
    /// Outcomes that errands under way carry, and jobs that they may bring.
    private var (settling, expected) = (0, 0)
    private var claimedAt: Instant?

    private var failures = 0
    private var pausedUntil: Instant?
    private var comparedAt: Instant
    private var isUnclear = false
    private var isComparing = false

    private var drainingSince: Instant?
    private var movesCancelledAt: Instant?

    init(concurrency: Int, mostErrands: Int, drainTimeout: Duration, now: Instant) {
        self.concurrency = concurrency
        self.mostErrands = max(1, mostErrands)
        self.drainTimeout = drainTimeout
        self.comparedAt = now
    }

    /// What is in hand.
    var load: (moving: Int, waiting: Int, unsettled: Int) {
        (self.moving.count, self.waiting.count, self.pending.count + self.settling + self.blocked.count)
    }

    // MARK: What happens

    /// There may be jobs.
    mutating func ring(notified: Bool) {
        self.lookout.ring(notified: notified)
    }

    /// No more claims; what moves has ``drainTimeout`` to end.
    mutating func drain(now: Instant) {
        if self.drainingSince == nil { self.drainingSince = now }
    }

    /// A move is over.
    ///
    /// - Returns: whether that is a reason to ask for the ``next(now:mayClaim:)`` step at once, and what to move in its slot.
    mutating func moved(_ ended: Ended, now: Instant) -> (isReason: Bool, next: Job?) {
        self.moving.remove(ended.job.id)
        self.pending.append(ended)
        if self.pending.count == 1 { self.oldestPending = now }
        self.pace.count(now: now)
        let next = self.begin(1, now: now).first
        return (self.isReason, next)
    }

    private var isReason: Bool {
        guard self.errands < self.mostErrands else { return false }
        return self.pending.count == 1 || self.pending.count >= self.batch || self.moving.isEmpty
            || (self.lookout.isLooking && self.room >= self.worthwhileRoom)
    }

    /// Postgres has answered.
    ///
    /// - Parameter blocked: the jobs whose outcomes could not be recorded yet.
    mutating func done(_ errand: Errand, claimed jobs: [Job], blocked: Set<UUID> = [], now: Instant) {
        self.end(errand)
        for ended in errand.outcomes where blocked.contains(ended.job.id) { self.blocked[ended.job.id] = ended }
        if !blocked.isEmpty { self.blockedUntil = self.blockedUntil ?? now + Self.blockedInterval }
        self.exchangeTime += ((now - errand.sentAt) - self.exchangeTime) / 8
        self.failures = 0
        if errand.outcomes.contains(where: \.job.isFair) { self.lookout.fairJobEnded() }
        guard let look = errand.look else { return }
        self.lookout.end(look, found: jobs, now: now)
        if self.waiting.isEmpty { self.waitingSince = now }
        self.waiting += jobs
    }

    /// Waiting jobs, for as many free slots.
    private mutating func begin(_ most: Int, now: Instant) -> [Job] {
        guard self.drainingSince == nil else { return [] }
        let jobs = Array(self.waiting.prefix(max(0, min(most, self.concurrency - self.moving.count))))
        guard !jobs.isEmpty else { return [] }
        self.waiting.removeFirst(jobs.count)
        self.inPreparation = max(0, self.inPreparation - jobs.count)
        self.waitingSince = now
        for job in jobs { self.moving.insert(job.id) }
        return jobs
    }

    /// A job's turn has come. Those whose turn comes soon are prepared meanwhile, one for each slot.
    ///
    /// - Parameter prepare: begins that for a job.
    /// - Returns: what was begun so for this one before.
    mutating func turn(of job: Job, _ prepare: (Job) -> EventLoopFuture<Preparation?>) -> EventLoopFuture<Preparation?>? {
        while self.inPreparation < min(self.waiting.count, self.concurrency) {
            let upcoming = self.waiting[self.inPreparation]
            self.preparations[upcoming.id] = prepare(upcoming)
            self.inPreparation += 1
        }
        return self.preparations.removeValue(forKey: job.id)
    }

    /// At a shutdown, and when the moves before them take longer than those of late.
    private mutating func giveBackWaiting(now: Instant) {
        guard !self.waiting.isEmpty else { return }
        for job in self.waiting.prefix(self.inPreparation) { self.preparations[job.id] = nil }
        self.inPreparation = 0
        self.pending += self.waiting.map { ($0, .givenBack) }
        self.oldestPending = self.oldestPending ?? now
        self.waiting = []
        self.pace = Pace()
    }

    /// It came to something or to nothing: outcomes are sent again, which is safe, and jobs that were claimed unheard are given back.
    mutating func failed(_ errand: Errand, now: Instant) {
        self.end(errand)
        self.pending = errand.outcomes + self.pending
        if !errand.outcomes.isEmpty { self.oldestPending = now }
        if let look = errand.look {
            self.lookout.fail(look)
            self.isUnclear = true
        }
        self.pause(now: now)
    }

    mutating func compared(_ worked: Bool, now: Instant) {
        self.isComparing = false
        guard worked else { return self.pause(now: now) }
        (self.isUnclear, self.comparedAt, self.failures) = (false, now, 0)
    }

    private mutating func end(_ errand: Errand) {
        self.errands -= 1
        self.settling -= errand.outcomes.count
        self.expected -= errand.look?.room ?? 0
    }

    private mutating func pause(now: Instant) {
        self.pausedUntil = now + min(Self.firstBackoff * (1 << min(self.failures, 10)), Self.longestBackoff)
        self.failures += 1
    }

    // MARK: What to do

    /// How many jobs to have in all: one for each slot, and those ahead.
    private var limit: Int { self.concurrency + self.ahead }

    private var ahead: Int {
        let time = min(max(Self.aheadTime, self.exchangeTime * Self.aheadExchanges), Self.longestAheadTime)
        return min(self.pace.expected(within: time), max(16, self.concurrency))
    }

    /// So that all errands together can fill the room.
    private var batch: Int { max(1, min(Self.largestBatch, (self.limit + self.mostErrands - 1) / self.mostErrands)) }

    /// What may be claimed. A job whose outcome is not settled has left its slot, but there is a bound on those, too.
    private var room: Int {
        let inFlight = self.moving.count + self.waiting.count + self.expected
        return max(0, min(self.limit - inFlight, 2 * self.limit - inFlight - self.pending.count - self.settling))
    }

    /// Not one by one: a claim for each slot that falls free would cost a commit each. But before a slot has nothing to do.
    private var worthwhileRoom: Int {
        let ahead = self.ahead
        return max(1, ahead > 0 ? (ahead + 1) / 2 : self.limit / 4)
    }

    /// The next step. Each but `wait` and `end` is to be done, and this called again.
    ///
    /// - Parameter mayClaim: the lease is certain.
    mutating func next(now: Instant, mayClaim: Bool) -> Step {
        let jobs = self.begin(.max, now: now)
        if !jobs.isEmpty { return .move(jobs) }
        var times: [Instant] = []
        if let waitingSince, !self.waiting.isEmpty {
            let late = waitingSince + Self.longestWait
            if self.drainingSince != nil || now >= late { self.giveBackWaiting(now: now) } else { times.append(late) }
        }
        if let drainingSince {
            let lastSettle = drainingSince + Self.lastSettleTime
            if self.moving.isEmpty, self.pending.isEmpty, self.errands == 0, !self.isComparing,
                self.blocked.isEmpty || now >= lastSettle
            {
                return .end
            }
            if !self.blocked.isEmpty, now < lastSettle { times.append(lastSettle) }
            if let movesCancelledAt {
                if now >= movesCancelledAt + Self.lastSettleTime { return .end }
                times.append(movesCancelledAt + Self.lastSettleTime)
            } else if now >= drainingSince + self.drainTimeout {
                self.movesCancelledAt = now
                return .cancelMoves
            } else {
                times.append(drainingSince + self.drainTimeout)
            }
        }
        if self.isComparing { return .wait(until: times.min()) }
        if let pausedUntil, now < pausedUntil { return .wait(until: (times + [pausedUntil]).min()) }
        if self.isUnclear || (self.drainingSince == nil && now >= self.comparedAt + Self.comparisonInterval) {
            // Only while no claim is under way is it exact what we have in flight.
            guard self.errands == 0 else { return .wait(until: times.min()) }
            self.isComparing = true
            return .giveBackOthers(self.moving + self.waiting.map(\.id) + self.pending.map(\.job.id) + self.blocked.keys)
        }
        if self.drainingSince == nil { times.append(self.comparedAt + Self.comparisonInterval) }
        guard self.errands < self.mostErrands else { return .wait(until: times.min()) }

        var place: Lookout.Place?
        let room = min(self.room, self.batch)
        if mayClaim, self.drainingSince == nil, room > 0 {
            let look = self.lookout.next(now: now)
            place = look.place
            if let notBefore = look.notBefore { times.append(notBefore) }
        }
        let claimIsDue: Bool
        if place == nil || room >= self.worthwhileRoom {
            claimIsDue = place != nil
        } else {
            let due = self.claimedAt.map { $0 + Self.smallClaimInterval } ?? now
            claimIsDue = now >= due
            times.append(due)
        }
        if let blockedUntil {
            if now >= blockedUntil { self.takeUpBlocked(now: now) } else { times.append(blockedUntil) }
        }
        let settleIsDue: Bool
        if let oldest = self.oldestPending, !self.pending.isEmpty {
            let due = oldest + (self.waiting.isEmpty ? Self.gatherTime : Self.busyGatherTime)
            settleIsDue = now >= due || self.pending.count >= self.batch || self.moving.isEmpty
            times.append(due)
        } else {
            settleIsDue = false
        }
        guard claimIsDue || settleIsDue else { return .wait(until: times.min()) }
        return .exchange(self.errand(place, room: room, now: now))
    }

    private mutating func takeUpBlocked(now: Instant) {
        self.pending += self.blocked.values.sorted { $0.job.id < $1.job.id }
        self.oldestPending = self.oldestPending ?? now
        (self.blocked, self.blockedUntil, self.hasTakenUpBlocked) = ([:], nil, true)
    }

    private mutating func errand(_ place: Lookout.Place?, room: Int, now: Instant) -> Errand {
        let outcomes = Array(self.pending.prefix(Self.largestBatch))
        self.pending.removeFirst(outcomes.count)
        self.oldestPending = self.pending.isEmpty ? nil : now
        let look = place.map { self.lookout.begin($0, room: room, now: now) }
        self.errands += 1
        self.settling += outcomes.count
        if let look {
            self.expected += look.room
            self.claimedAt = now
        }
        defer { self.hasTakenUpBlocked = false }
        return Errand(outcomes: outcomes, look: look, isAgain: self.hasTakenUpBlocked, sentAt: now)
    }
}

/// How many moves end in a while, of late.
struct Pace {
    typealias Instant = ContinuousClock.Instant

    static let window = Duration.milliseconds(100)

    private var start: Instant?
    private var count = 0
    private var perSecond = 0.0

    mutating func count(now: Instant) {
        guard let start else { return self.start = now }
        self.count += 1
        let elapsed = now - start
        guard elapsed >= Self.window else { return }
        self.perSecond = Double(self.count) / (elapsed / .seconds(1))
        (self.start, self.count) = (now, 0)
    }

    func expected(within duration: Duration) -> Int {
        Int(self.perSecond * (duration / .seconds(1)))
    }
}
