import Foundation
import Proof
import Testing

@testable import S3

/// What a client's retries, its budget and its limit do to a store that fails for a while, under a clock and a chance of our own.
@Suite struct RetrySimulationTests {
    @Test("Delays are spread over all of their time, and are as long as the policy and the server say")
    func jitter() throws {
        let policy = S3RetryPolicy(attempts: 12, baseDelay: .milliseconds(100), maximumDelay: .seconds(5))
        let error = S3Error(.slowDown, status: 503, message: "", retryable: true)
        for attempt in 1...11 {
            let ceiling = min(Duration.seconds(5), Duration.milliseconds(100) * (1 << (attempt - 1)))
            let delays = try (0..<200).map { _ in try #require(policy.delay(after: attempt, error: error)) }
            #expect(delays.allSatisfy { $0 >= .zero && $0 <= ceiling })
            // Of two hundred, none in a third is less likely than one in 10³⁴.
            for third in 0..<3 {
                let range = ceiling * third / 3...ceiling * (third + 1) / 3
                #expect(delays.contains { range.contains($0) }, "attempt \(attempt), third \(third)")
            }
        }
        #expect(policy.delay(after: 12, error: error) == nil)
        var patient = error
        patient.retryAfter = .seconds(7)
        let delay = try #require(policy.delay(after: 1, error: patient))
        #expect(delay >= .seconds(7) && delay <= .seconds(7) + .milliseconds(100))
        patient.retryAfter = .seconds(11)
        #expect(policy.delay(after: 1, error: patient) == nil)
    }

    @Test(arguments: 1...40)
    func `an outage is not multiplied, and when it is over all goes as before`(seed: UInt64) async throws {
        var simulation = SimulatedClients(seed: seed)
        try await simulation.run()
    }
}

/// Requests that come at random to a store that is well, away, and well again.
private struct SimulatedClients {
    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    private struct Request {
        var attempt = 1
        var paid = 0
        var permit: ConcurrencyState.Permit?
    }

    private enum Event {
        case arrival
        case answer(Request)
        case again(Request)
        /// There was no place for it.
        case held(Request)
    }

    private static let outage = Duration.seconds(60)..<Duration.seconds(180)
    private static let end = Duration.seconds(600)

    private var generator: SeededGenerator
    private var timeline = Timeline<Event>()
    private let beginning = ContinuousClock.now
    private let policy = S3RetryPolicy()
    private let budget = RetryBudget()
    private var limiter = ConcurrencyState()
    private var requests = 0

    init(seed: UInt64) {
        self.generator = SeededGenerator(seed: seed)
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self.generator))
    }

    mutating func run() async throws {
        self.timeline.add(.arrival, after: .zero)
        var (steps, repetitions) = (0, 0)
        while let event = self.timeline.next() {
            steps += 1
            if steps.isMultiple(of: 256) { await Task.yield() }
            let isAway = Self.outage.contains(self.timeline.now)
            switch event {
            case .arrival:
                if self.timeline.now < Self.end { self.timeline.add(.arrival, after: self.milliseconds(1...200)) }
                self.requests += isAway ? 1 : 0
                self.send(Request())
            case .again(let request):
                repetitions += isAway ? 1 : 0
                self.send(request)
            case .held(let request):
                self.send(request)
            case .answer(var request):
                // Now and then one fails in good times, too.
                let fails = isAway || Int.random(in: 0..<100, using: &self.generator) == 0
                let throttled = isAway && Bool.random(using: &self.generator)
                guard let permit = request.permit else { throw Broken(description: "a request without a place") }
                _ = self.limiter.release(
                    permit,
                    fails ? (throttled ? .throttled : .other) : .success,
                    now: self.beginning + self.timeline.now
                )
                guard fails else {
                    self.budget.earn(paid: request.paid)
                    break
                }
                let error = S3Error(throttled ? .slowDown : .internalError, status: 503, message: "", retryable: true)
                let fraction = Double.random(in: 0...1, using: &self.generator)
                guard
                    let delay = self.policy.delay(after: request.attempt, error: error, fraction: fraction),
                    let paid = self.budget.pay(for: error)
                else { break }
                request.attempt += 1
                request.paid = paid
                self.timeline.add(.again(request), after: delay)
            }
            guard (0...RetryBudget.capacity).contains(self.budget.remaining) else {
                throw Broken(description: "a budget of \(self.budget.remaining)")
            }
            guard self.limiter.limit.map({ $0 >= 1 }) ?? true else {
                throw Broken(description: "a limit that lets nobody through")
            }
        }
        // Five for each of 500, and what came back by those that the outage had not reached when they were paid for.
        guard repetitions <= 110 else {
            throw Broken(description: "\(repetitions) repetitions for \(self.requests) requests in an outage")
        }
        guard self.budget.remaining > RetryBudget.capacity / 2 else {
            throw Broken(description: "the budget does not recover: \(self.budget.remaining)")
        }
        guard self.limiter.limit == nil else { throw Broken(description: "the limit stays at \(self.limiter.limit ?? 0)") }
        guard self.limiter.inFlight == 0 else { throw Broken(description: "\(self.limiter.inFlight) places are lost") }
    }

    /// As soon as there is a place.
    private mutating func send(_ request: Request) {
        var request = request
        guard let permit = self.limiter.acquire() else {
            return self.timeline.add(.held(request), after: .milliseconds(5))
        }
        request.permit = permit
        self.timeline.add(.answer(request), after: self.milliseconds(1...50))
    }
}
