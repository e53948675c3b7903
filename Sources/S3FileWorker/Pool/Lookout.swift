import S3File

/// Whether there is a reason to look for jobs, and where.
///
/// A claim that looks everywhere finds all there is; but while any transaction anywhere is held open, it reads every job that was ever claimed
/// meanwhile. A claim in the lanes of earlier ones begins where those ended. So most claims stay in their lanes, and of the time at most a
/// twentieth goes into looking everywhere.
struct Lookout {
    typealias Instant = ContinuousClock.Instant

    enum Place: Equatable, Sendable {
        case everywhere
        case lanes([Lane])
    }

    /// A look on its way, to be handed back with what it found.
    struct Look: Sendable {
        var place: Place
        var room: Int
        fileprivate var sentAt: Instant
        fileprivate var rings: Int
    }

    /// Looking everywhere takes one part of the time in so many.
    static let share = 20
    /// However long a look takes, the next one comes within this.
    static let longestPause = Duration.seconds(2)
    /// How often there is a look everywhere while the lanes give enough, and after somebody enqueued.
    static let usualPause = Duration.milliseconds(250)
    static let noticePause = Duration.milliseconds(100)
    static let mostLanes = 16

    /// Whether there may be jobs that nobody has looked for.
    private(set) var isLooking = false
    /// By priority; of equals the one served last stands last.
    private(set) var lanes: [Lane] = []
    private var rings = 0
    /// The lanes gave less than there was room for: only a look everywhere can find more.
    private var lanesAreEmpty = false
    /// Somebody enqueued since the last look everywhere began.
    private var isNotified = false
    /// A fair queue, which has no lanes, may have more at once.
    private var fairIsDue = false
    private var isLookingEverywhere = false
    private var lookedEverywhereAt: Instant?
    /// How long the last look everywhere took, and the one before. The shorter counts: a held transaction slows all of them, a hiccup one.
    private var durations: (last: Duration, previous: Duration) = (.zero, .zero)

    // MARK: Reasons

    /// There may be something: a notification, or time for a look.
    mutating func ring(notified: Bool) {
        self.rings += 1
        self.isLooking = true
        self.lanesAreEmpty = false
        if notified { self.isNotified = true }
    }

    /// A job of a fair queue is done, so that its owner may have another.
    mutating func fairJobEnded() {
        self.isLooking = true
        self.fairIsDue = true
    }

    // MARK: Looking

    /// Where to look now; or `nil`, and when it is time.
    func next(now: Instant) -> (place: Place?, notBefore: Instant?) {
        guard self.isLooking else { return (nil, nil) }
        let everywhereAt = self.isLookingEverywhere ? nil : self.lookedEverywhereAt.map { $0 + self.pause } ?? now
        if let everywhereAt, now >= everywhereAt { return (.everywhere, nil) }
        if !self.lanesAreEmpty, !self.lanes.isEmpty { return (.lanes(self.lanes), nil) }
        return (nil, everywhereAt)
    }

    private var pause: Duration {
        let cost = min(self.durations.last, self.durations.previous)
        let affordable = min(cost * Self.share, Self.longestPause)
        if self.fairIsDue { return cost }
        if self.lanesAreEmpty || self.lanes.isEmpty { return affordable }
        return max(affordable, self.isNotified ? Self.noticePause : Self.usualPause)
    }

    mutating func begin(_ place: Place, room: Int, now: Instant) -> Look {
        if place == .everywhere {
            self.isLookingEverywhere = true
            self.lookedEverywhereAt = now
            self.isNotified = false
            self.fairIsDue = false
        }
        return Look(place: place, room: room, sentAt: now, rings: self.rings)
    }

    mutating func end(_ look: Look, found jobs: [Job], now: Instant) {
        let found = Self.lanes(of: jobs)
        let isFull = jobs.count >= look.room
        switch look.place {
        case .everywhere:
            self.isLookingEverywhere = false
            self.durations = (now - look.sentAt, self.durations.last)
            self.keep(found) { _, new in new }
            // Fair queues get half of the room, at most.
            let fair = jobs.count(where: \.isFair)
            self.fairIsDue = self.fairIsDue || fair >= max(look.room / 2, 1)
            if isFull || self.fairIsDue {
                self.isLooking = true
                self.lanesAreEmpty = false
            } else if look.rings == self.rings {
                self.isLooking = false
            }
        case .lanes:
            // What another claim found meanwhile lies further on.
            self.keep(found) { old, new in new.isBefore(old) ? old : new }
            if isFull {
                self.isLooking = true
                self.moveBack(found)
            } else if look.rings == self.rings {
                self.lanesAreEmpty = true
            }
        }
    }

    /// It may have come to something or not.
    mutating func fail(_ look: Look) {
        if look.place == .everywhere { self.isLookingEverywhere = false }
    }

    // MARK: Lanes

    /// Where those of one queue and priority began.
    private static func lanes(of jobs: [Job]) -> [Lane] {
        var lanes: [Lane] = []
        for job in jobs where !job.isFair {
            let place = job.place
            guard let index = lanes.firstIndex(where: { $0.isSame(as: place) }) else {
                lanes.append(place)
                continue
            }
            if place.isBefore(lanes[index]) { lanes[index] = place }
        }
        return lanes
    }

    private mutating func keep(_ found: [Lane], _ choose: (_ old: Lane, _ new: Lane) -> Lane) {
        for lane in found {
            if let index = self.lanes.firstIndex(where: { $0.isSame(as: lane) }) {
                self.lanes[index] = choose(self.lanes[index], lane)
            } else {
                let index = self.lanes.firstIndex { $0.priority > lane.priority } ?? self.lanes.endIndex
                self.lanes.insert(lane, at: index)
            }
        }
        if self.lanes.count > Self.mostLanes { self.lanes.removeLast(self.lanes.count - Self.mostLanes) }
    }

    /// The one that filled the room goes behind its equals, so that among queues none comes first for good.
    private mutating func moveBack(_ served: [Lane]) {
        for lane in served {
            guard let index = self.lanes.firstIndex(where: { $0.isSame(as: lane) }) else { continue }
            let moved = self.lanes.remove(at: index)
            self.lanes.insert(moved, at: self.lanes.firstIndex { $0.priority > lane.priority } ?? self.lanes.endIndex)
        }
    }
}

extension Lane {
    fileprivate func isSame(as other: Lane) -> Bool { self.priority == other.priority && self.queue == other.queue }

    fileprivate func isBefore(_ other: Lane) -> Bool { (self.runAt, self.uploadID) < (other.runAt, other.uploadID) }
}
