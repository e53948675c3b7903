#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What ``RefreshingCredentials`` knows, and decides under its lock.
struct RefreshState: Sendable {
    typealias Waiter = CheckedContinuation<Void, Never>

    enum Step {
        case use(S3Credentials)
        case fail(any Error)
        /// The caller asks for new ones, and must call ``finish(_:now:)``.
        case refresh
        case wait
    }

    private let timing: RefreshingCredentials.Timing
    private var current: S3Credentials?
    private var fetchedAt = Date.distantPast
    private var refreshAt = Date.distantFuture
    /// S3 called the current ones ended.
    private var isDiscarded = false
    private var isRefreshing = false
    private var failure: (error: any Error, until: Date)?
    private var waiters: [UInt64: Waiter] = [:]
    /// Cancelled before they could be enqueued.
    private var cancelled: Set<UInt64> = []
    private var lastID: UInt64 = 0

    init(timing: RefreshingCredentials.Timing) {
        self.timing = timing
    }

    private func isAlive(_ credentials: S3Credentials, _ now: Date) -> Bool {
        !self.isDiscarded && (credentials.expiration.map { now < $0 } ?? true)
    }

    mutating func next(now: Date) -> Step {
        let living = self.current.flatMap { self.isAlive($0, now) ? $0 : nil }
        if let living, now < self.refreshAt || self.isRefreshing { return .use(living) }
        if self.isRefreshing { return .wait }
        if let failure = self.failure, now < failure.until { return living.map { .use($0) } ?? .fail(failure.error) }
        self.isRefreshing = true
        return .refresh
    }

    /// - Returns: what the refreshing caller answers, and who is to look again.
    mutating func finish(
        _ result: Result<S3Credentials, any Error>,
        now: Date
    ) -> (outcome: Result<S3Credentials, any Error>, waiters: [Waiter]) {
        self.isRefreshing = false
        defer { self.waiters.removeAll() }
        switch result {
        case .success(let fresh):
            self.current = fresh
            self.fetchedAt = now
            self.isDiscarded = false
            self.failure = nil
            self.refreshAt = fresh.expiration.map { self.refreshTime($0, now) } ?? .distantFuture
            return (result, Array(self.waiters.values))
        case .failure(is CancellationError):
            return (result, Array(self.waiters.values))
        case .failure(let error):
            let living = self.current.flatMap { self.isAlive($0, now) ? $0 : nil }
            let pause = living == nil ? self.timing.pauseWithout : self.timing.pauseWithOld * Double.random(in: 0.5...1.5)
            self.failure = (error, now.addingTimeInterval(pause / .seconds(1)))
            return (living.map { .success($0) } ?? result, Array(self.waiters.values))
        }
    }

    private func refreshTime(_ expiration: Date, _ now: Date) -> Date {
        let lead = (self.timing.lead + self.timing.jitter * Double.random(in: 0...1)) / .seconds(1)
        return expiration.addingTimeInterval(-min(lead, expiration.timeIntervalSince(now) / 4))
    }

    /// - Returns: whether others may be had.
    mutating func discard(_ credentials: S3Credentials, now: Date) -> Bool {
        // Somebody else was faster.
        if let current = self.current, current != credentials { return true }
        guard
            credentials.sessionToken != nil,
            abs(now.timeIntervalSince(self.fetchedAt)) >= self.timing.minimumAge / .seconds(1)
        else { return false }
        self.isDiscarded = true
        return true
    }

    // MARK: Waiting

    mutating func newID() -> UInt64 {
        self.lastID += 1
        return self.lastID
    }

    /// - Returns: false when there is nothing to wait for any more.
    mutating func enqueue(_ id: UInt64, _ waiter: Waiter) -> Bool {
        guard self.cancelled.remove(id) == nil, self.isRefreshing else { return false }
        self.waiters[id] = waiter
        return true
    }

    /// After it has waited.
    mutating func forget(_ id: UInt64) {
        self.cancelled.remove(id)
    }

    mutating func cancel(_ id: UInt64) -> Waiter? {
        if let waiter = self.waiters.removeValue(forKey: id) { return waiter }
        self.cancelled.insert(id)
        return nil
    }
}
