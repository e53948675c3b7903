import NIOConcurrencyHelpers
import TestEnvironment
import Testing

@testable import S3

@Suite("Concurrency by bucket", .timeLimit(.minutes(1)))
struct ConcurrencyLimiterTests {
    let start = ContinuousClock.now

    /// One request that nobody runs beside.
    func request(
        _ state: inout ConcurrencyState,
        _ outcome: ConcurrencyState.Outcome,
        at now: ContinuousClock.Instant
    ) throws {
        let permit = state.acquire()
        _ = state.release(try #require(permit), outcome, now: now)
    }

    @Test("A complaint lowers the limit once for all that were under way, and successes raise it by one a round")
    func decides() throws {
        var state = ConcurrencyState()
        var permits = (0..<100).map { _ in state.acquire() }.compactMap { $0 }
        #expect(permits.count == 100 && state.limit == nil)
        for _ in 0..<10 { _ = state.release(permits.removeLast(), .throttled, now: self.start) }
        #expect(state.limit == 70)
        #expect(state.inFlight == 90)
        #expect(state.acquire() == nil)
        for permit in permits { _ = state.release(permit, .success, now: self.start) }
        #expect(state.inFlight == 0)
        // A full round of as many successes as there are places, while all of them are taken.
        var limit = try #require(state.limit)
        for _ in 0..<3 {
            var round: [ConcurrencyState.Permit] = []
            while let permit = state.acquire() { round.append(permit) }
            #expect(round.count == limit)
            for permit in round {
                _ = state.release(permit, .success, now: self.start)
                round.append(contentsOf: state.acquire().map { [$0] } ?? [])
            }
            #expect(try #require(state.limit) > limit - 1)
            limit = try #require(state.limit)
            while state.inFlight > 0 { _ = state.release(round.removeLast(), .other, now: self.start) }
        }
        #expect(limit > 70)
    }

    @Test("Which buckets asked for fewer requests is told, with the limit by now and what was under way before it")
    func slowed() async throws {
        let concurrency = BucketConcurrency()
        let (busy, quiet) = (concurrency.limiter("busy"), concurrency.limiter("quiet"))
        var permits: [ConcurrencyState.Permit] = []
        for _ in 0..<10 { permits.append(try await busy.acquire()) }
        quiet.release(try await quiet.acquire(), .success)
        #expect(concurrency.slowed == [])
        busy.release(permits.removeLast(), .throttled)
        #expect(concurrency.slowed == [BucketConcurrency.Slowed(bucket: "busy", limit: 7, most: 10)])
        // Further complaints lower the limit, and not what was before it.
        for permit in permits { busy.release(permit, .other) }
        busy.release(try await busy.acquire(), .throttled)
        #expect(concurrency.slowed.map(\.most) == [10] && concurrency.slowed.map(\.limit) == [1])
    }

    @Test("The limit never falls below one, and goes when for a minute nobody felt it")
    func recovers() throws {
        var state = ConcurrencyState()
        for _ in 0..<20 { try self.request(&state, .throttled, at: self.start) }
        #expect(state.limit == 1)
        for _ in 0..<40 { try self.request(&state, .success, at: self.start + .seconds(1)) }
        let grown = try #require(state.limit)
        #expect(grown > 1)
        try self.request(&state, .success, at: self.start + .seconds(50))
        #expect(state.limit == grown)
        try self.request(&state, .success, at: self.start + .seconds(62))
        #expect(state.limit == nil)
    }

    @Test("Those who wait go in their order, one who is cancelled leaves, and nobody gets lost")
    func queue() async throws {
        let limiter = ConcurrencyLimiter()
        let permit = try await limiter.acquire()
        limiter.release(permit, .throttled)
        #expect(limiter.limit == 1)
        let held = try await limiter.acquire()
        let order = NIOLockedValueBox<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<20 {
                let task = Task {
                    let permit = try await limiter.acquire()
                    order.withLockedValue { $0.append(number) }
                    limiter.release(permit, .other)
                }
                tasks.append(task)
                try await eventually("it waits") { limiter.load.waiting == number + 1 }
            }
            for number in [3, 19, 0] { tasks[number].cancel() }
            for number in [3, 19, 0] { await #expect(throws: CancellationError.self) { try await tasks[number].value } }
            #expect(limiter.load.waiting == 17)
            limiter.release(held, .other)
            for (number, task) in tasks.enumerated() where ![3, 19, 0].contains(number) { try await task.value }
        }
        #expect(order.withLockedValue { $0 } == (0..<20).filter { ![0, 3, 19].contains($0) })
        #expect(limiter.load == (0, 0))
    }

    @Test("Under many cancellations no place is lost")
    func storm() async throws {
        let limiter = ConcurrencyLimiter()
        let permits = try await [limiter.acquire(), limiter.acquire(), limiter.acquire()]
        limiter.release(permits[0], .throttled)
        for permit in permits.dropFirst() { limiter.release(permit, .other) }
        let most = NIOLockedValueBox(0)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let task = Task {
                        let permit = try await limiter.acquire()
                        most.withLockedValue { $0 = max($0, limiter.load.inFlight) }
                        try? await Task.sleep(for: .microseconds(200))
                        limiter.release(permit, .other)
                    }
                    if number % 3 == 0 {
                        try? await Task.sleep(for: .microseconds(Int.random(in: 0...3000)))
                        task.cancel()
                    }
                    _ = try? await task.value
                }
            }
        }
        #expect(limiter.load == (0, 0))
        #expect(most.withLockedValue { $0 } == 2)
    }

    @Test("More waiters than are kept in memory are refused")
    func bounded() async throws {
        let limiter = ConcurrencyLimiter()
        limiter.release(try await limiter.acquire(), .throttled)
        let held = try await limiter.acquire()
        await withTaskGroup(of: S3Error.Code?.self) { group in
            for _ in 0..<(ConcurrencyState.maximumWaiters + 5) {
                group.addTask {
                    do {
                        limiter.release(try await limiter.acquire(), .other)
                        return nil
                    } catch { return (error as? S3Error)?.code }
                }
            }
            var refused = 0
            for _ in 0..<5 where await group.next() == .some(.tooManyWaiting) { refused += 1 }
            #expect(refused == 5)
            limiter.release(held, .other)
            for await code in group { #expect(code == nil) }
        }
        #expect(limiter.load == (0, 0))
    }

    @Test("A store that asks for less is asked less, one bucket for itself, and more again afterwards")
    func client() async throws {
        let busy = ScriptedServer.Answer.status("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")
        try await ScriptedServer.with(Array(repeating: busy, count: 20) + [UnreliableStoreTests.head]) { server in
            try await TestStore.withClient(
                UnreliableStoreTests.configuration(server.endpoint),
                retry: S3RetryPolicy(attempts: 30, baseDelay: .milliseconds(1), maximumDelay: .milliseconds(20))
            ) { client, _ in
                #expect(client.concurrency.limit(bucket: "bucket") == nil)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<40 {
                        group.addTask { _ = try await client.headObject(bucket: "bucket", key: "\(number)") }
                    }
                    try await group.waitForAll()
                }
                let limit = try #require(client.concurrency.limit(bucket: "bucket"))
                // Forty were under way at most.
                #expect((1..<40).contains(limit))
                #expect(client.concurrency.limit(bucket: "other") == nil)
                #expect(client.concurrency.load(bucket: "bucket") == (0, 0))
                for _ in 0..<30 {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for number in 0..<60 {
                            group.addTask { _ = try await client.headObject(bucket: "bucket", key: "\(number)") }
                        }
                        try await group.waitForAll()
                    }
                }
                #expect(try #require(client.concurrency.limit(bucket: "bucket")) > limit)
            }
        }
    }
}
