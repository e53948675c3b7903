import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import S3File

extension DashboardEndpoints {
    /// `GET …/events`: the overview as it changes.
    func stream(_ request: DashboardRequest) async throws -> HTTPAnswer {
        let mayChange = try await request.mayChange()
        _ = try self.queue
        guard let watch = self.uploads.overview?.watch() else {
            throw Problem(
                status: .serviceUnavailable,
                code: "too_many_streams",
                detail: "As many look at the dashboard as this server admits. The page works as well without being kept current.",
                // Not all at the same moment.
                headers: [.retryAfter: "\(Int.random(in: 3...10))"]
            )
        }
        return .events(
            OverviewStream(pace: self.pace, drawn: self.drawn, mayChange: mayChange, watch: watch),
            cacheControl: "no-store"
        )
    }
}

/// The bytes of the overview's events, for one who watches. Nothing is made ahead: who is slow misses sights, and costs no more.
struct OverviewStream: AsyncSequence, Sendable {
    typealias Pace = StatusStream.Pace

    private let pace: Pace
    private let drawn: DrawnOverviews
    private let mayChange: Bool
    /// Whoever sends the stream holds it until the end; the watch goes with its one iterator.
    private let watch: NIOLockedValueBox<OverviewWatch?>

    init(pace: Pace, drawn: DrawnOverviews, mayChange: Bool, watch: OverviewWatch) {
        self.pace = pace
        self.drawn = drawn
        self.mayChange = mayChange
        self.watch = NIOLockedValueBox(watch)
    }

    /// Once: a second one has nothing to tell.
    func makeAsyncIterator() -> Iterator {
        let watch = self.watch.withLockedValue { watch in
            defer { watch = nil }
            return watch
        }
        return Iterator(pace: self.pace, drawn: self.drawn, mayChange: self.mayChange, watch: watch)
    }

    struct Iterator: AsyncIteratorProtocol {
        private let pace: Pace
        private let drawn: DrawnOverviews
        private let mayChange: Bool
        private let end: ContinuousClock.Instant
        private var watch: OverviewWatch?
        private var number = 0
        private var hasBegun = false

        fileprivate init(pace: Pace, drawn: DrawnOverviews, mayChange: Bool, watch: OverviewWatch?) {
            self.pace = pace
            self.drawn = drawn
            self.mayChange = mayChange
            // So that those that came together do not come back together; and who lost the right to see does not see for ever.
            self.end = .now + pace.life * Double.random(in: 0.8...1)
            self.watch = watch
        }

        mutating func next() async throws -> ByteBuffer? {
            guard let watch = self.watch else { return nil }
            if !self.hasBegun {
                self.hasBegun = true
                return ByteBuffer(string: "retry: 2000\n\n")
            }
            guard ContinuousClock.now < self.end else { return self.farewell() }
            switch await watch.news(after: self.number, until: Swift.min(self.end, .now + self.pace.heartbeat)) {
            case .sight(.overview(let overview), let number):
                self.number = number
                return try self.drawn.event(overview, number: number, mayChange: self.mayChange)
            case .sight(.away, let number):
                self.number = number
                return ByteBuffer(string: "event: away\ndata: {}\n\n")
            case .nothing:
                return ContinuousClock.now < self.end ? ByteBuffer(string: "event: beat\ndata: {}\n\n") : self.farewell()
            case .ended:
                return self.farewell()
            }
        }

        /// Those who come back from a server that stops should not all do so at the same moment.
        private mutating func farewell() -> ByteBuffer? {
            self.watch = nil
            guard !Task.isCancelled else { return nil }
            return ByteBuffer(string: "retry: \(Int.random(in: 500...4_000))\n\n")
        }
    }
}
