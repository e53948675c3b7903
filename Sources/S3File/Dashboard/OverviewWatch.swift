import ServiceLifecycle

/// Somebody who watches how everything stands. It ends when nobody holds it any more.
package final class OverviewWatch: Sendable {
    /// What there is.
    package enum News: Sendable, Equatable {
        /// The newest sight, and its number: to be named when asking for the next.
        case sight(OverviewFeed.Sight, number: Int)
        /// The time is over.
        case nothing
        /// The process stops, or the task was cancelled.
        case ended
    }

    private let feed: OverviewFeed
    private let id: Int
    private let bell: Doorbell

    init(feed: OverviewFeed, id: Int, bell: Doorbell) {
        self.feed = feed
        self.id = id
        self.bell = bell
    }

    deinit {
        self.feed.leave(self.id)
    }

    /// What was seen after the sight with this number, 0 for any. One caller at a time.
    package func news(after number: Int, until: ContinuousClock.Instant) async -> News {
        while !Task.isCancelled, !Task.isShuttingDownGracefully, !self.feed.isClosed {
            if let (sight, number) = self.feed.sight(after: number) { return .sight(sight, number: number) }
            guard ContinuousClock.now < until else { return .nothing }
            await withTaskCancellationOrGracefulShutdownHandler {
                await self.bell.wait(until: until)
            } onCancelOrGracefulShutdown: {
                self.bell.ring()
            }
        }
        return .ended
    }
}
