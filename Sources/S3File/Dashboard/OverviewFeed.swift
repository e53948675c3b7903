package import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Looks at how everything stands for all who watch: once a second for a whole process, however many they are, and never while nobody does.
/// A look that takes long is followed by a longer pause, so that a database in trouble is not asked for more than a tenth of the time.
package final class OverviewFeed: Sendable {
    /// Looks take one part of the time in so many, at most.
    static let share = 10
    /// How many may watch at a time.
    package static let mostWatchers = 100

    /// What a look found.
    package enum Sight: Sendable, Equatable {
        case overview(Overview)
        /// The database did not answer.
        case away
    }

    private struct State {
        var sight: Sight?
        /// Of the sight.
        var number = 0
        var bells: [Int: Doorbell] = [:]
        var lastID = 0
        var looks = 0
        var isUrgent = false
        var isClosed = false
    }

    private let queue: UploadQueue
    private let logger: Logger
    private let interval: Duration
    private let state = NIOLockedValueBox(State())
    private let bell = Doorbell()

    /// - Parameter interval: from the beginning of a look to the next one.
    package init(queue: UploadQueue, logger: Logger, interval: Duration = .seconds(1)) {
        self.queue = queue
        self.logger = logger
        self.interval = interval
    }

    // MARK: Watching

    /// Begins to watch.
    ///
    /// - Returns: `nil` when as many watch as may, or the process is stopping.
    package func watch() -> OverviewWatch? {
        let watch: OverviewWatch? = self.state.withLockedValue { state in
            guard !state.isClosed, state.bells.count < Self.mostWatchers else { return nil }
            state.lastID += 1
            let bell = Doorbell()
            state.bells[state.lastID] = bell
            return OverviewWatch(feed: self, id: state.lastID, bell: bell)
        }
        // Most of the time the look that serves the others serves this one, too.
        if watch != nil { self.bell.ring() }
        return watch
    }

    /// Something was changed by hand: look at once.
    package func hurry() {
        self.state.withLockedValue { $0.isUrgent = true }
        self.bell.ring()
    }

    /// How many watch, and how often it looked.
    package var count: Int { self.state.withLockedValue { $0.bells.count } }
    package var looks: Int { self.state.withLockedValue { $0.looks } }

    func leave(_ id: Int) {
        self.state.withLockedValue { state in
            state.bells[id] = nil
            // It would be old when somebody comes.
            if state.bells.isEmpty { state.sight = nil }
        }
    }

    /// What was seen after the sight with this number; `nil` when there is nothing newer.
    func sight(after number: Int) -> (sight: Sight, number: Int)? {
        self.state.withLockedValue { state in
            guard state.number > number, let sight = state.sight else { return nil }
            return (sight, state.number)
        }
    }

    var isClosed: Bool { self.state.withLockedValue { $0.isClosed } }

    // MARK: Looking

    /// Until graceful shutdown or cancellation; then all who watch are told that it is over.
    package func run() async {
        await withGracefulShutdownHandler {
            await self.keepLooking()
        } onGracefulShutdown: {
            self.close()
        }
        self.close()
    }

    private func close() {
        let bells = self.state.withLockedValue { state in
            state.isClosed = true
            return state.bells.values
        }
        self.bell.ring()
        for bell in bells { bell.ring() }
    }

    private func keepLooking() async {
        var due = ContinuousClock.now
        while !Task.isCancelled, !self.isClosed {
            let (isWatched, isUrgent) = self.state.withLockedValue { (!$0.bells.isEmpty, $0.isUrgent) }
            guard isWatched else {
                await self.bell.wait()
                continue
            }
            guard isUrgent || ContinuousClock.now >= due else {
                await self.bell.wait(until: due)
                continue
            }
            let start = ContinuousClock.now
            await self.look()
            due = start + max(self.interval, (ContinuousClock.now - start) * Self.share)
        }
    }

    private func look() async {
        self.state.withLockedValue { state in
            state.looks += 1
            state.isUrgent = false
        }
        let sight: Sight
        do {
            sight = .overview(try await self.queue.overview())
        } catch {
            guard !Task.isCancelled, !self.isClosed else { return }
            self.logger.debug("The overview could not be read; trying again", metadata: ["error": "\(error)"])
            sight = .away
        }
        let bells = self.state.withLockedValue { state in
            guard !state.bells.isEmpty else { return [Doorbell]() }
            state.sight = sight
            state.number += 1
            return Array(state.bells.values)
        }
        for bell in bells { bell.ring() }
    }
}
