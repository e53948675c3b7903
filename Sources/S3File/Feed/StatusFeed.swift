package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Tells those who wait how uploads change: one reader for a whole process, however many wait. ``StatusFeedState`` decides.
///
/// What changed is told by the table of events, and then read by primary keys, all of it at once. A look follows each notification, at most
/// one per ``spacing``, and else comes once a second. While nobody waits Postgres is not asked anything, and a while after that the
/// connection that listens is closed as well: processes whose pages show no status cost no connection.
///
/// Notifications only make it quick: who changes uploads by plain SQL sends none, and behind a transaction pooler none arrive.
package final class StatusFeed: Sendable {
    private typealias WatcherID = StatusFeedState.WatcherID

    /// Between the beginnings of two looks.
    static let spacing = Duration.milliseconds(50)
    static let pollInterval = Duration.seconds(1)
    /// How exactly a wait ends.
    static let tickInterval = Duration.milliseconds(250)
    /// The listening connection stays for so long after the last one who waited: another page comes soon.
    static let listenLinger = Duration.seconds(30)
    static let mostEvents = 500

    private struct Shell {
        var machine = StatusFeedState()
        var parked: [WatcherID: CheckedContinuation<Void, Never>] = [:]
        var looks = 0
        var isRunning = false
    }

    private let backend: any UploadBackend
    private let record: any UploadRecord
    private let maximum: Int
    private let logger: Logger
    private let shell = NIOLockedValueBox(Shell())
    /// For the reader, the clock and the listener: one each, as a bell has one who waits.
    private let (look, clock, ear) = (Doorbell(), Doorbell(), Doorbell())

    /// - Parameter maximum: how many may wait at a time.
    package init(backend: any UploadBackend, maximum: Int, logger: Logger) {
        self.backend = backend
        self.record = backend.record
        self.maximum = maximum
        self.logger = logger
    }

    // MARK: Waiting

    /// Begins to watch uploads.
    ///
    /// - Parameter known: as they were read a moment ago. News is what differs from that.
    /// - Returns: `nil` when as many wait as may, or the process is stopping.
    package func watch(_ known: [Upload]) -> StatusWatch? {
        let id: WatcherID? = self.shell.withLockedValue { shell in
            guard !shell.machine.isClosed, shell.machine.count < self.maximum else { return nil }
            return shell.machine.join(known)
        }
        guard let id else { return nil }
        for bell in [self.look, self.clock, self.ear] { bell.ring() }
        return StatusWatch(feed: self, id: id)
    }

    /// How many wait.
    package var count: Int { self.shell.withLockedValue { $0.machine.count } }

    /// How many of them are asleep.
    var parkedCount: Int { self.shell.withLockedValue { $0.parked.count } }

    /// The newest event known; nil while nobody waits.
    package var newestEvent: Int64? { self.shell.withLockedValue { $0.machine.position?.last } }

    /// How often it looked.
    package var looks: Int { self.shell.withLockedValue { $0.looks } }

    func leave(_ id: StatusFeedState.WatcherID) {
        self.shell.withLockedValue { $0.machine.leave(id) }
    }

    /// What there is for it, when there is something; `nothing` at the end of the wait, `closed` when the process stops or the task is
    /// cancelled.
    func news(for id: StatusFeedState.WatcherID, until: ContinuousClock.Instant) async -> StatusFeedState.Collected {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let collected = self.shell.withLockedValue { $0.machine.collect(id, until: until, now: .now) }
            if let collected { return collected }
            // There is nobody to look, nor to say when the time is over: an app whose services do not run, as in a test of its own.
            guard self.shell.withLockedValue({ $0.isRunning }) else {
                try? await Task.sleep(until: min(until, .now + Self.tickInterval), clock: .continuous)
                continue
            }
            await withTaskCancellationOrGracefulShutdownHandler {
                await withCheckedContinuation { continuation in
                    let goOn = self.shell.withLockedValue { shell in
                        // Woken, cancelled or stopped before it was registered: whoever did it found nobody.
                        guard shell.machine.isParked(id), !Task.isCancelled, !Task.isShuttingDownGracefully else { return true }
                        shell.parked[id] = continuation
                        return false
                    }
                    if goOn { continuation.resume() }
                }
            } onCancelOrGracefulShutdown: {
                let continuation = self.shell.withLockedValue { shell in
                    shell.machine.unpark(id)
                    return shell.parked.removeValue(forKey: id)
                }
                continuation?.resume()
            }
        }
        return .closed
    }

    private func wake(_ choose: (inout StatusFeedState) -> [WatcherID]) {
        let woken = self.shell.withLockedValue { shell in
            choose(&shell.machine).compactMap { shell.parked.removeValue(forKey: $0) }
        }
        for continuation in woken { continuation.resume() }
    }

    // MARK: Running

    /// Until graceful shutdown or cancellation; then all who wait are told that it is over.
    package func run() async {
        self.shell.withLockedValue { $0.isRunning = true }
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.keepLooking() }
                group.addTask { await self.keepTime() }
                group.addTask { await self.listenWhileWatched() }
                await group.waitForAll()
            }
        } onGracefulShutdown: {
            self.close()
        }
        self.close()
    }

    private func close() {
        self.wake { $0.close() }
        for bell in [self.look, self.clock, self.ear] { bell.ring() }
    }

    private var isOver: Bool { Task.isCancelled || self.shell.withLockedValue { $0.machine.isClosed } }
    private var isWatched: Bool { self.shell.withLockedValue { $0.machine.isWatched } }

    private func keepTime() async {
        while !self.isOver {
            guard self.isWatched else {
                await self.clock.wait()
                continue
            }
            self.wake { $0.tick(now: .now) }
            try? await Task.sleep(for: Self.tickInterval)
        }
    }

    private func keepLooking() async {
        while !self.isOver {
            guard self.isWatched else {
                await self.look.wait()
                continue
            }
            do {
                try await self.lookOnce()
                try? await Task.sleep(for: Self.spacing)
            } catch {
                if !self.isOver {
                    self.logger.debug("The statuses could not be read; trying again", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.pollInterval * Double.random(in: 0.8...1.2))
            }
            await self.look.wait(until: .now + Self.pollInterval * Double.random(in: 0.8...1.2))
        }
    }

    /// Events, and then what they are about.
    private func lookOnce() async throws {
        self.shell.withLockedValue { $0.looks += 1 }
        do {
            if let position = self.shell.withLockedValue({ $0.machine.position }) {
                let events = try await self.record.events(
                    after: position.last,
                    gaps: Array(position.gaps.keys),
                    limit: Self.mostEvents
                )
                self.shell.withLockedValue { $0.machine.changed(events, now: .now) }
                // There are more: once more, after these.
                if events.count >= Self.mostEvents { self.look.ring() }
            } else {
                // Before anything is read, so that nothing falls in between.
                let newest = try await self.record.newestEvents()
                self.shell.withLockedValue { $0.machine.begin(at: newest, now: .now) }
            }
        } catch {
            self.shell.withLockedValue { $0.machine.failed(nil) }
            throw error
        }
        var isFull = true
        while isFull, let read = self.shell.withLockedValue({ $0.machine.nextRead(now: .now) }) {
            // Who came meanwhile is served by the next look, with all the others who did.
            isFull = read.ids.count == StatusFeedState.largestRead
            do {
                let uploads = try await self.record.uploads(read.ids)
                self.wake { $0.found(uploads, by: read, now: .now) }
            } catch {
                self.shell.withLockedValue { $0.machine.failed(read) }
                throw error
            }
        }
    }

    // MARK: Listening

    private func listenWhileWatched() async {
        while !self.isOver {
            await self.ear.wait()
            guard self.isWatched, !self.isOver else { continue }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.backend.listen(logger: self.logger) { self.look.ring() } }
                group.addTask { await self.untilAbandoned() }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Returns when nobody has waited for a while.
    private func untilAbandoned() async {
        var lastWatched = ContinuousClock.now
        while !self.isOver, ContinuousClock.now - lastWatched < Self.listenLinger {
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
            if self.isWatched { lastWatched = .now }
        }
    }
}
