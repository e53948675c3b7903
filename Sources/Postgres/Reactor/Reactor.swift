import CLibpq
import NIOConcurrencyHelpers
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One thread and one poll(2) set for all libpq sockets of the process.
///
/// Connection actors run on it, so that a libpq call never blocks or competes with the concurrency pool. It is a `SerialExecutor`
/// and deliberately not a `TaskExecutor` as well: a job cannot tell whether its task prefers one, and running it with the wrong
/// task executor makes every same-actor `await` enqueue again.
///
/// The thread lives as long as the process: actors hold their executor unowned, so a reactor that ended could be used after.
//
// Unchecked: `waiters` and `polled` are touched by the loop's thread only (`wait` checks it); the rest is constant, atomic or in a locked box.
final class Reactor: SerialExecutor, @unchecked Sendable {
    typealias Instant = ContinuousClock.Instant

    static let shared = Reactor()

    struct TimerID: Hashable, Sendable { fileprivate var number: Int }

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var interrupts: [Int32] = []
        var timers: [TimerID: (at: Instant, body: @Sendable () -> Void)] = [:]
        var nextTimer = 0
        var asleep = false
    }

    private struct Waiter {
        var events: Int16
        var until: Instant?
        var continuation: CheckedContinuation<Int16, Never>
    }

    private let wakeRead: Int32
    private let wakeWrite: Int32
    private let inbox = NIOLockedValueBox(Inbox())
    private let thread = Atomic<UInt>(0)
    private var waiters: [Int32: Waiter] = [:]
    private var polled: [pollfd] = []

    private init() {
        var ends: [Int32] = [-1, -1]
        precondition(clibpq_open_wake_pipe(&ends) == 0, "The process has no file descriptors left: raise its limit (ulimit -n)")
        self.wakeRead = ends[0]
        self.wakeWrite = ends[1]
        let failure = clibpq_start_thread(
            { context in
                guard let context else { return nil }
                Unmanaged<Reactor>.fromOpaque(context).takeRetainedValue().loop()
                return nil
            },
            Unmanaged.passRetained(self).toOpaque()
        )
        precondition(failure == 0, "The process may not start another thread: raise its limit (ulimit -u)")
    }

    // MARK: SerialExecutor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.post { $0.jobs.append(job) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    func checkIsolated() {
        precondition(self.thread.load(ordering: .relaxed) == UInt(clibpq_current_thread()), "Not on the Postgres reactor")
    }

    // MARK: Waiting

    /// Suspends until `fd` has one of `events`, and returns what it has; 0 when `until` passed or somebody interrupted.
    ///
    /// Called only by actors that run here. `unless` is read at the moment the waiter is registered, because any `await` on the way
    /// may have suspended since the caller looked: whoever sets the condition first and calls ``interrupt(_:)`` next is never missed.
    func wait(_ fd: Int32, _ events: Int32, until: Instant? = nil, unless stop: () -> Bool = { false }) async -> Int16 {
        await withCheckedContinuation { continuation in
            self.checkIsolated()
            if stop() {
                continuation.resume(returning: 0)
            } else {
                self.waiters[fd] = Waiter(events: Int16(events), until: until, continuation: continuation)
            }
        }
    }

    /// Ends a pending wait on `fd` early. From any thread; harmless when nobody waits, since waits look again at why they wait.
    func interrupt(_ fd: Int32) {
        self.post { $0.interrupts.append(fd) }
    }

    /// Calls `body` on the reactor's thread, where it must not block.
    @discardableResult
    func schedule(at: Instant, _ body: @escaping @Sendable () -> Void) -> TimerID {
        self.post { inbox in
            let id = TimerID(number: inbox.nextTimer)
            inbox.nextTimer += 1
            inbox.timers[id] = (at, body)
            return id
        }
    }

    func cancel(_ timer: TimerID) {
        self.inbox.withLockedValue { _ = $0.timers.removeValue(forKey: timer) }
    }

    private func post<R: Sendable>(_ change: @Sendable (inout Inbox) -> R) -> R {
        let (result, mustWake) = self.inbox.withLockedValue { inbox in
            let result = change(&inbox)
            defer { inbox.asleep = false }
            return (result, inbox.asleep)
        }
        if mustWake {
            var one: UInt8 = 1
            _ = write(self.wakeWrite, &one, 1)  // a full pipe wakes just as well
        }
        return result
    }

    // MARK: The loop

    private func loop() {
        self.thread.store(UInt(clibpq_current_thread()), ordering: .relaxed)
        var jobs: [UnownedJob] = []
        var interrupts: [Int32] = []
        while true {
            let (idle, nextTimer) = self.inbox.withLockedValue { inbox in
                swap(&jobs, &inbox.jobs)
                swap(&interrupts, &inbox.interrupts)
                let idle = jobs.isEmpty && interrupts.isEmpty
                inbox.asleep = idle
                return (idle, inbox.timers.values.lazy.map(\.at).min())
            }
            for job in jobs { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
            jobs.removeAll(keepingCapacity: true)
            for fd in interrupts { self.waiters.removeValue(forKey: fd)?.continuation.resume(returning: 0) }
            interrupts.removeAll(keepingCapacity: true)
            if !idle && self.waiters.isEmpty && nextTimer == nil { continue }
            self.pollOnce(idle: idle, nextTimer: nextTimer)
        }
    }

    private func pollOnce(idle: Bool, nextTimer: Instant?) {
        self.polled.removeAll(keepingCapacity: true)
        self.polled.append(pollfd(fd: self.wakeRead, events: Int16(POLLIN), revents: 0))
        var next = nextTimer
        for (fd, waiter) in self.waiters {
            self.polled.append(pollfd(fd: fd, events: waiter.events, revents: 0))
            if let until = waiter.until { next = next.map { min($0, until) } ?? until }
        }
        let ready = poll(&self.polled, nfds_t(self.polled.count), idle ? Self.milliseconds(to: next) : 0)
        self.inbox.withLockedValue { $0.asleep = false }
        if ready > 0 {
            if self.polled[0].revents != 0 {
                var sink: (UInt64, UInt64) = (0, 0)
                _ = read(self.wakeRead, &sink, 16)
            }
            for entry in self.polled.dropFirst() where entry.revents != 0 {
                self.waiters.removeValue(forKey: entry.fd)?.continuation.resume(returning: entry.revents)
            }
        }
        if let next, next <= .now { self.expire() }
    }

    private func expire() {
        let now = Instant.now
        for (fd, waiter) in self.waiters {
            if let until = waiter.until, until <= now {
                self.waiters.removeValue(forKey: fd)
                waiter.continuation.resume(returning: 0)
            }
        }
        let due = self.inbox.withLockedValue { inbox in
            let due = inbox.timers.filter { $0.value.at <= now }
            for id in due.keys { inbox.timers.removeValue(forKey: id) }
            return due.values.map(\.body)
        }
        for body in due { body() }
    }

    /// poll(2)'s timeout, rounded up so that a deadline has passed when it returns.
    private static func milliseconds(to next: Instant?) -> Int32 {
        guard let next else { return -1 }
        let parts = (next - .now).components
        guard parts.seconds >= 0, parts.attoseconds >= 0 else { return 0 }
        guard parts.seconds < 3600 else { return 3_600_000 }
        return Int32(parts.seconds) * 1000 + Int32(parts.attoseconds / 1_000_000_000_000_000) + 1
    }
}
