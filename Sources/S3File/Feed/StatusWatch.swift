package import struct Foundation.UUID

/// Somebody who waits for news of some uploads. It ends when nobody holds it any more.
package final class StatusWatch: Sendable {
    /// What there is.
    package enum News: Sendable, Equatable {
        /// The latest state of those that changed, in the order in which they did; those whose record was deleted; and the newest event known.
        case changes([Upload], gone: [UUID], position: Int64?)
        /// The time is over.
        case nothing
        /// The process stops, or the task was cancelled: ask elsewhere.
        case ended
    }

    private let feed: StatusFeed
    private let id: StatusFeedState.WatcherID

    init(feed: StatusFeed, id: StatusFeedState.WatcherID) {
        self.feed = feed
        self.id = id
    }

    deinit {
        self.feed.leave(self.id)
    }

    /// What changed since the last call, at once when there is something. One caller at a time.
    package func news(until: ContinuousClock.Instant) async -> News {
        switch await self.feed.news(for: self.id, until: until) {
        case .news(let changed, let gone, let position): .changes(changed, gone: gone, position: position)
        case .nothing: .nothing
        case .closed: .ended
        }
    }
}
