import DequeModule

/// What ``ConcurrencyLimiter`` decides under its lock.
struct ConcurrencyState: Sendable {
    enum Outcome: Sendable, Hashable {
        case success
        /// The store asked for fewer requests.
        case throttled
        /// Says nothing of the store's load.
        case other
    }

    enum Turn: Sendable {
        case go(Permit)
        case cancelled
        case refused(waiting: Int)
    }

    /// A place among the requests under way.
    struct Permit: Sendable, Hashable {
        /// How often the limit had been lowered when the request began. Its complaint is news only if that has not changed.
        fileprivate var round: Int
    }

    typealias Waiter = CheckedContinuation<Turn, Never>

    static let decrease = 0.7
    static let quietTime: Duration = .seconds(60)
    static let maximumWaiters = 10_000

    private var allowed: Double?
    private var round = 0
    private(set) var inFlight = 0
    /// What was under way when the limit came about.
    private(set) var most = 0
    /// The last time that the limit held somebody back.
    private var lastFelt = ContinuousClock.now
    private var waiters: [UInt64: Waiter] = [:]
    /// In order; those cancelled since are passed over.
    private var queue: Deque<UInt64> = []
    private var cancelled: Set<UInt64> = []
    private var lastID: UInt64 = 0

    var limit: Int? { self.allowed.map { Int($0) } }
    var waiting: Int { self.waiters.count }

    private var hasPlace: Bool { self.limit.map { self.inFlight < $0 } ?? true }

    mutating func acquire() -> Permit? {
        guard self.hasPlace, self.waiters.isEmpty else { return nil }
        self.inFlight += 1
        return Permit(round: self.round)
    }

    mutating func release(_ permit: Permit, _ outcome: Outcome, now: ContinuousClock.Instant) -> [(Waiter, Permit)] {
        switch outcome {
        case .throttled where permit.round == self.round:
            if self.allowed == nil { self.most = self.inFlight }
            self.allowed = max(1, (min(self.allowed ?? .infinity, Double(self.inFlight)) * Self.decrease).rounded(.down))
            self.round += 1
            self.lastFelt = now
        case .success:
            guard let allowed = self.allowed else { break }
            if !self.hasPlace || !self.waiters.isEmpty {
                self.allowed = allowed + 1 / allowed
                self.lastFelt = now
            } else if now - self.lastFelt > Self.quietTime {
                self.allowed = nil
            }
        case .throttled, .other:
            break
        }
        self.inFlight -= 1
        var next: [(Waiter, Permit)] = []
        while self.hasPlace, let waiter = self.dequeue() {
            self.inFlight += 1
            next.append((waiter, Permit(round: self.round)))
        }
        return next
    }

    // MARK: Waiting

    mutating func newID() -> UInt64 {
        self.lastID += 1
        return self.lastID
    }

    /// - Returns: nil when the waiter has to wait.
    mutating func enqueue(_ id: UInt64, _ waiter: Waiter) -> Turn? {
        guard self.cancelled.remove(id) == nil else { return .cancelled }
        if let permit = self.acquire() { return .go(permit) }
        guard self.waiters.count < Self.maximumWaiters else { return .refused(waiting: self.waiters.count) }
        self.waiters[id] = waiter
        self.queue.append(id)
        if self.queue.count > 2 * self.waiters.count + 64 { self.queue.removeAll { self.waiters[$0] == nil } }
        return nil
    }

    mutating func cancel(_ id: UInt64) -> Waiter? {
        if let waiter = self.waiters.removeValue(forKey: id) { return waiter }
        self.cancelled.insert(id)
        return nil
    }

    /// After its turn came, or was cancelled.
    mutating func forget(_ id: UInt64) {
        self.cancelled.remove(id)
    }

    private mutating func dequeue() -> Waiter? {
        while let id = self.queue.popFirst() {
            if let waiter = self.waiters.removeValue(forKey: id) { return waiter }
        }
        return nil
    }
}
