import Foundation
import S3File

/// What goes back and forth between a worker and the queue, as a state without sockets: what is in flight, which outcomes wait to be settled,
/// and what is to be done next. ``Exchange`` does it.
///
/// Under load the outcomes of some jobs and the claim of the next go to Postgres together: one round trip and one commit. A few such
/// exchanges may be under way at once, so that Postgres works while we do. No job waits for its settle before another takes its place.
struct ExchangeState {
    typealias Instant = ContinuousClock.Instant
    typealias Ended = (job: Job, outcome: Outcome)

    /// One round trip.
    struct Errand: Sendable {
        var outcomes: [Ended]
        var look: Lookout.Look?
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
    /// Less than a quarter of the room is worth a claim this often.
    static let smallClaimInterval = Duration.milliseconds(50)
    static let largestBatch = 500
    /// How often what the record says of this worker is compared with what it knows.
    static let comparisonInterval = Duration.seconds(10)
    static let firstBackoff = Duration.milliseconds(100)
    static let longestBackoff = Duration.seconds(1)
    /// How long outcomes are still sent after the moves were cancelled at a shutdown.
    static let lastSettleTime = Duration.seconds(10)

    let concurrency: Int
    let mostErrands: Int
    /// So that all errands together can fill the room.
    let batch: Int
    let drainTimeout: Duration

    private(set) var lookout = Lookout()
    private var claimed: [Job] = []
    private var moving: Set<UUID> = []
    private var pending: [Ended] = []
    private var oldestPending: Instant?
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
        self.batch = max(1, min(Self.largestBatch, (concurrency + self.mostErrands - 1) / self.mostErrands))
        self.drainTimeout = drainTimeout
        self.comparedAt = now
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
    /// - Returns: whether that is a reason to ask for the ``next(now:mayClaim:)`` step at once.
    mutating func moved(_ ended: Ended, now: Instant) -> Bool {
        self.moving.remove(ended.job.id)
        self.pending.append(ended)
        if self.pending.count == 1 { self.oldestPending = now }
        guard self.errands < self.mostErrands else { return false }
        return self.pending.count == 1 || self.pending.count >= self.batch || self.moving.isEmpty
            || (self.lookout.isLooking && self.room >= self.worthwhileRoom)
    }

    /// Postgres has answered.
    mutating func done(_ errand: Errand, claimed jobs: [Job], now: Instant) {
        self.end(errand)
        self.failures = 0
        if errand.outcomes.contains(where: \.job.isFair) { self.lookout.fairJobEnded() }
        guard let look = errand.look else { return }
        self.lookout.end(look, found: jobs, now: now)
        self.claimed += jobs
        for job in jobs { self.moving.insert(job.id) }
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

    /// Free slots. A job whose outcome is not settled has left its slot, but there is a bound on those, too.
    private var room: Int {
        let inFlight = self.moving.count + self.expected
        return max(0, min(self.concurrency - inFlight, 2 * self.concurrency - inFlight - self.pending.count - self.settling))
    }

    /// Not one by one: a claim for each slot that falls free would cost a commit each.
    private var worthwhileRoom: Int { max(1, self.concurrency / 4) }

    /// The next step. Each but `wait` and `end` is to be done, and this called again.
    ///
    /// - Parameter mayClaim: the lease is certain.
    mutating func next(now: Instant, mayClaim: Bool) -> Step {
        if !self.claimed.isEmpty {
            defer { self.claimed = [] }
            return .move(self.claimed)
        }
        var times: [Instant] = []
        if let drainingSince {
            if self.moving.isEmpty, self.pending.isEmpty, self.errands == 0, !self.isComparing { return .end }
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
            return .giveBackOthers(self.moving + self.pending.map(\.job.id))
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
        let settleIsDue: Bool
        if let oldest = self.oldestPending, !self.pending.isEmpty {
            let due = oldest + Self.gatherTime
            settleIsDue = now >= due || self.pending.count >= self.batch || self.moving.isEmpty
            times.append(due)
        } else {
            settleIsDue = false
        }
        guard claimIsDue || settleIsDue else { return .wait(until: times.min()) }
        return .exchange(self.errand(place, room: room, now: now))
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
        return Errand(outcomes: outcomes, look: look)
    }
}
