import Foundation
import Postgres
@testable import S3File
import TestEnvironment
import Testing

/// One look a second for all who watch, and none for nobody.
@Suite(.timeLimit(.minutes(1))) struct OverviewFeedTests {
    private func withFeed(
        interval: Duration = .seconds(1),
        _ body: @escaping @Sendable (OverviewFeed, UploadQueue, Int64) async throws -> Void
    ) async throws {
        try await withQueue { queue, worker in
            let feed = OverviewFeed(queue: queue, logger: .quiet, interval: interval)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await feed.run() }
                defer { group.cancelAll() }
                try await body(feed, queue, worker)
            }
        }
    }

    private func next(_ watch: OverviewWatch, after number: Int = 0) async throws -> (overview: Overview, number: Int) {
        guard case .sight(.overview(let overview), let number) = await watch.news(after: number, until: .now + .seconds(20))
        else {
            throw CancellationError()
        }
        return (overview, number)
    }

    @Test func `nobody who watches costs nothing, and fifty cost what one does`() async throws {
        try await self.withFeed { feed, queue, worker in
            #expect(feed.looks == 0)
            let watches = try (0..<50).map { _ in try #require(feed.watch()) }
            let start = ContinuousClock.now
            var numbers = Set<Int>()
            for watch in watches { numbers.insert(try await self.next(watch).number) }
            #expect(numbers.count <= 2)
            // Each of them sees each look, or a later one.
            try await queue.end(1, UploadQueue.denied, worker: worker)
            for watch in watches {
                var sight = try await self.next(watch)
                while sight.overview.failures.isEmpty { sight = try await self.next(watch, after: sight.number) }
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(Double(feed.looks) <= seconds + 2, "\(feed.looks) looks in \(seconds) s")
        }
    }

    @Test func `when the last one leaves the looks end, and who comes later gets a fresh one`() async throws {
        try await self.withFeed { feed, queue, worker in
            do {
                let watch = try #require(feed.watch())
                _ = try await self.next(watch)
            }
            #expect(feed.count == 0)
            try await queue.end(1, UploadQueue.denied, worker: worker)
            let watch = try #require(feed.watch())
            #expect(try await self.next(watch).overview.failures.count == 1)
        }
    }

    @Test func `what was changed by hand is seen at once`() async throws {
        // By its own pace it would come too late for whoever waits below.
        try await self.withFeed(interval: .seconds(3600)) { feed, queue, _ in
            let watch = try #require(feed.watch())
            let (_, number) = try await self.next(watch)
            _ = try await queue.setPaused("default", true)
            feed.hurry()
            var sight = try await self.next(watch, after: number)
            while sight.overview.queues.first?.isPaused != true { sight = try await self.next(watch, after: sight.number) }
        }
    }

    @Test func `as many may watch as the limit says, and a place that is left is free`() async throws {
        try await self.withFeed { feed, _, _ in
            var watches = try (0..<OverviewFeed.mostWatchers).map { _ in try #require(feed.watch()) }
            #expect(feed.watch() == nil)
            watches.removeLast()
            #expect(feed.watch() != nil)
        }
    }

    @Test func `without an answer of the database those who watch are told, and told again when it is back`() async throws {
        try await self.withFeed { feed, queue, _ in
            let watch = try #require(feed.watch())
            var number = try await self.next(watch).number
            _ = try await queue.client.query("alter function s3file.worker_reading rename to hidden")
            var isAway = false
            while !isAway {
                guard case .sight(let sight, let seen) = await watch.news(after: number, until: .now + .seconds(20)) else {
                    break
                }
                number = seen
                isAway = sight == .away
            }
            #expect(isAway)
            _ = try await queue.client.query("alter function s3file.hidden rename to worker_reading")
            var isBack = false
            while !isBack {
                guard case .sight(let sight, let seen) = await watch.news(after: number, until: .now + .seconds(20)) else {
                    break
                }
                number = seen
                isBack = sight != .away
            }
            #expect(isBack)
        }
    }

    @Test func `a wait ends when its time is over, when its task is cancelled, and when the process stops`() async throws {
        try await withQueue { queue, _ in
            let feed = OverviewFeed(queue: queue, logger: .quiet)
            let watch = try #require(feed.watch())
            #expect(await watch.news(after: 0, until: .now + .milliseconds(50)) == .nothing)
            let waiting = Task { await watch.news(after: 0, until: .now + .seconds(60)) }
            waiting.cancel()
            #expect(await waiting.value == .ended)
            let running = Task { await feed.run() }
            running.cancel()
            await running.value
            #expect(await watch.news(after: Int.max, until: .now + .seconds(60)) == .ended)
            #expect(feed.watch() == nil)
        }
    }
}
