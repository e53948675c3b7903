import DequeModule

/// What the pool decides, without doing any of it: every event returns actions, and ``PostgresClient`` performs them outside its lock.
///
/// A connection is opening, idle or leased. A waiter is handed the next connection that is free, in the order of asking, or fails: when its
/// patience ends, when its task is cancelled, when the server refuses us for good, or when the pool closes.
struct PoolState {
    typealias Instant = ContinuousClock.Instant

    struct ConnectionID: Hashable, Sendable { var number: Int }
    struct WaiterID: Hashable, Sendable { var number: Int }

    enum Failure: Hashable, Sendable {
        case cancelled
        case closed
        /// `run()` was never called.
        case notRunning
        /// All connections were in use all the time.
        case exhausted
        /// No connection could be opened.
        case unreachable
    }

    enum Action: Hashable, Sendable {
        case lend(ConnectionID, to: WaiterID)
        case fail(WaiterID, Failure)
        case open(ConnectionID)
        /// Call ``retry()`` after this long.
        case retry(after: Duration)
        /// Call ``tick(now:)`` then.
        case wake(at: Instant)
        case close(ConnectionID)
        /// The last lease came back to a closing pool.
        case drained
    }

    /// What a connection is like when it comes back.
    enum Condition {
        case reusable
        case broken
        /// Broken by what its server has become, as the idle ones are, too, in all likelihood.
        case suspect
    }

    enum Phase { case notStarted, running, closing }

    static let firstBackoff: Duration = .milliseconds(100)
    /// A server that is back is found within this, however long it was away; and a second apart is no burden, one attempt a process at a time.
    static let longestBackoff: Duration = .seconds(1)

    let maximum: Int
    let patience: Duration
    private(set) var phase = Phase.notStarted
    /// The last one returned is lent first, so that the others may be found dead by the server's own timeouts, not by ours.
    private var idle: [ConnectionID] = []
    private(set) var leased: Set<ConnectionID> = []
    private var opening: Set<ConnectionID> = []
    private var queue: Deque<WaiterID> = []
    private var deadlines: [WaiterID: Instant] = [:]
    private var failures = 0
    private var backingOff = false
    private var timerSet = false
    private var lastNumber = 0

    init(maximum: Int, patience: Duration) {
        self.maximum = max(1, maximum)
        self.patience = patience
    }

    private var total: Int { self.idle.count + self.leased.count + self.opening.count }

    /// How many of each there are.
    struct Load: Sendable, Hashable {
        var idle, leased, opening, waiters: Int
    }

    var load: Load {
        Load(idle: self.idle.count, leased: self.leased.count, opening: self.opening.count, waiters: self.deadlines.count)
    }

    // MARK: Life

    /// Nil when it was called before.
    mutating func start() -> [Action]? {
        guard self.phase == .notStarted else { return nil }
        self.phase = .running
        return self.openAsNeeded()
    }

    /// Fails who waits, closes what is idle; leased connections are closed when they come back.
    mutating func shutdown() -> [Action] {
        guard self.phase != .closing else { return [] }
        self.phase = .closing
        var actions: [Action] = []
        while let waiter = self.popWaiter() { actions.append(.fail(waiter, .closed)) }
        for connection in self.idle { actions.append(.close(connection)) }
        self.idle = []
        if self.leased.isEmpty { actions.append(.drained) }
        return actions
    }

    // MARK: Leases

    /// An idle connection, unless somebody waited before.
    mutating func leaseNow() -> ConnectionID? {
        guard self.phase == .running, self.deadlines.isEmpty, let connection = self.idle.popLast() else { return nil }
        self.leased.insert(connection)
        return connection
    }

    mutating func wait(_ waiter: WaiterID, now: Instant) -> [Action] {
        if self.phase == .closing { return [.fail(waiter, .closed)] }
        if let connection = self.leaseNow() { return [.lend(connection, to: waiter)] }
        let deadline = now + self.patience
        self.deadlines[waiter] = deadline
        self.queue.append(waiter)
        var actions = self.openAsNeeded()
        if !self.timerSet {
            self.timerSet = true
            actions.append(.wake(at: deadline))
        }
        return actions
    }

    mutating func cancel(_ waiter: WaiterID) -> [Action] {
        // Its place in the queue is skipped when its turn comes.
        self.deadlines.removeValue(forKey: waiter) == nil ? [] : [.fail(waiter, .cancelled)]
    }

    mutating func release(_ connection: ConnectionID, as condition: Condition) -> [Action] {
        guard self.leased.remove(connection) != nil else { return [] }
        if self.phase == .closing {
            return self.leased.isEmpty ? [.close(connection), .drained] : [.close(connection)]
        }
        switch condition {
        case .reusable:
            return self.offer(connection)
        case .broken:
            return [.close(connection)] + self.openAsNeeded()
        case .suspect:
            defer { self.idle = [] }
            return ([connection] + self.idle).map { .close($0) } + self.openAsNeeded()
        }
    }

    // MARK: Opening

    mutating func opened(_ connection: ConnectionID) -> [Action] {
        guard self.opening.remove(connection) != nil else { return [] }
        if self.phase == .closing { return [.close(connection)] }
        self.failures = 0
        return self.offer(connection) + self.openAsNeeded()
    }

    /// - Parameters:
    ///   - permanent: waiting will not help, such as a wrong password; those who wait hear of it at once.
    ///   - jitter: from 0 to 1, so that the processes of a fleet do not come back in step.
    mutating func openFailed(_ connection: ConnectionID, permanent: Bool, jitter: Double) -> [Action] {
        guard self.opening.remove(connection) != nil, self.phase == .running else { return [] }
        self.failures += 1
        var actions: [Action] = []
        if permanent && self.idle.isEmpty && self.leased.isEmpty {
            while let waiter = self.popWaiter() { actions.append(.fail(waiter, .unreachable)) }
        }
        if !self.backingOff {
            self.backingOff = true
            actions.append(.retry(after: Self.backoff(failures: self.failures, jitter: jitter)))
        }
        return actions
    }

    mutating func retry() -> [Action] {
        self.backingOff = false
        return self.openAsNeeded()
    }

    static func backoff(failures: Int, jitter: Double) -> Duration {
        min(Self.firstBackoff * (1 << min(max(failures - 1, 0), 10)), Self.longestBackoff) * (0.5 + jitter / 2)
    }

    // MARK: Patience

    mutating func tick(now: Instant) -> [Action] {
        self.timerSet = false
        var actions: [Action] = []
        // All are equally patient, so who asked first gives up first.
        while let waiter = self.queue.first {
            guard let deadline = self.deadlines[waiter] else {
                self.queue.removeFirst()
                continue
            }
            if deadline > now {
                self.timerSet = true
                actions.append(.wake(at: deadline))
                break
            }
            self.queue.removeFirst()
            self.deadlines[waiter] = nil
            actions.append(.fail(waiter, self.reasonForWaiting))
        }
        return actions
    }

    private var reasonForWaiting: Failure {
        if self.phase == .notStarted { return .notRunning }
        return self.leased.count == self.maximum ? .exhausted : .unreachable
    }

    // MARK: Choosing

    private mutating func popWaiter() -> WaiterID? {
        while let waiter = self.queue.popFirst() {
            if self.deadlines.removeValue(forKey: waiter) != nil { return waiter }
        }
        return nil
    }

    private mutating func offer(_ connection: ConnectionID) -> [Action] {
        guard let waiter = self.popWaiter() else {
            self.idle.append(connection)
            return []
        }
        self.leased.insert(connection)
        return [.lend(connection, to: waiter)]
    }

    /// One connection for each waiter up to the maximum; while the server does not answer one at a time.
    private mutating func openAsNeeded() -> [Action] {
        guard self.phase == .running, !self.backingOff else { return [] }
        let wanted = self.failures > 0 ? min(1, self.deadlines.count) : self.deadlines.count
        var actions: [Action] = []
        while self.opening.count < wanted, self.total < self.maximum {
            self.lastNumber += 1
            let connection = ConnectionID(number: self.lastNumber)
            self.opening.insert(connection)
            actions.append(.open(connection))
        }
        return actions
    }
}
