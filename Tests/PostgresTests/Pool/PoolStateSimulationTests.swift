import Foundation
import Proof
import Testing

@testable import Postgres

/// The decisions of the pool of connections under a clock and a chance of our own: servers that go away, tasks that are cancelled, connections that
/// break, in orders that nobody thought of.
@Suite struct PoolStateSimulationTests {
    @Test(arguments: 1...40)
    func `who waits is answered once and in time, and no connection has two users or outlives the pool`(seed: UInt64) async throws
    {
        var simulation = SimulatedConnections(seed: seed)
        try await simulation.run(steps: 4_000)
        #expect(simulation.lent > 0 && simulation.failed > 0)
    }
}

/// A server that comes and goes, tasks that want connections, and the machine between them.
private struct SimulatedConnections {
    typealias ConnectionID = PoolState.ConnectionID
    typealias WaiterID = PoolState.WaiterID

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    private enum Event {
        case ask
        case cancel(WaiterID)
        case opened(ConnectionID)
        case refused(ConnectionID)
        case returned(ConnectionID)
        case retry
        case wake
        case server(isUp: Bool)
    }

    private var generator: SeededGenerator
    private var timeline = Timeline<Event>()
    private var pool: PoolState
    private let maximum: Int
    private let patience: Duration
    private let beginning = ContinuousClock.now
    private var isUp = true
    /// In the order of asking, with the moment when each gives up.
    private var waiting: [(id: WaiterID, until: ContinuousClock.Instant)] = []
    private var open: Set<ConnectionID> = []
    private var opening: Set<ConnectionID> = []
    private var lentOut: Set<ConnectionID> = []
    private var lastWaiter = 0
    private var isClosing = false
    private var drained = 0
    private(set) var lent = 0
    private(set) var failed = 0

    private var now: ContinuousClock.Instant { self.beginning + self.timeline.now }

    init(seed: UInt64) {
        var shape = SeededGenerator(seed: seed, purpose: 1)
        self.generator = SeededGenerator(seed: seed)
        self.maximum = Int.random(in: 1...8, using: &shape)
        self.patience = .milliseconds(Int.random(in: 200...5_000, using: &shape))
        self.pool = PoolState(maximum: self.maximum, patience: self.patience)
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self.generator))
    }
    private mutating func happens(_ ofHundred: Int) -> Bool { Int.random(in: 0..<100, using: &self.generator) < ofHundred }

    mutating func run(steps: Int) async throws {
        try self.perform(self.pool.start() ?? [])
        self.timeline.add(.ask, after: .zero)
        self.timeline.add(.server(isUp: false), after: self.milliseconds(1_000...20_000))
        for step in 0..<steps {
            guard let event = self.timeline.next() else { throw Broken(description: "nothing happens any more") }
            try self.handle(event)
            try self.check()
            if step.isMultiple(of: 256) { await Task.yield() }
        }
        self.isClosing = true
        try self.perform(self.pool.shutdown())
        guard self.waiting.isEmpty else { throw Broken(description: "\(self.waiting.count) wait for a pool that is closed") }
        // Whoever has a connection gives it back, and what was being opened ends, one way or the other.
        while !(self.lentOut.isEmpty && self.opening.isEmpty), let event = self.timeline.next() { try self.handle(event) }
        guard self.open.isEmpty, self.opening.isEmpty else { throw Broken(description: "connections outlive the pool") }
        guard self.drained == 1 else { throw Broken(description: "the pool was drained \(self.drained) times") }
    }

    private mutating func handle(_ event: Event) throws {
        switch event {
        case .ask:
            guard !self.isClosing else { return }
            self.timeline.add(.ask, after: self.milliseconds(0...60))
            if self.happens(50), let connection = self.pool.leaseNow() {
                guard self.waiting.isEmpty else {
                    throw Broken(description: "somebody who just came was served before those who wait")
                }
                return try self.lend(connection)
            }
            self.lastWaiter += 1
            let waiter = WaiterID(number: self.lastWaiter)
            self.waiting.append((waiter, self.now + self.patience))
            try self.perform(self.pool.wait(waiter, now: self.now))
            if self.happens(10) { self.timeline.add(.cancel(waiter), after: self.milliseconds(0...300)) }
        case .cancel(let waiter):
            try self.perform(self.pool.cancel(waiter))
        case .opened(let connection):
            self.opening.remove(connection)
            self.open.insert(connection)
            try self.perform(self.pool.opened(connection))
        case .refused(let connection):
            self.opening.remove(connection)
            try self.perform(
                self.pool.openFailed(connection, permanent: self.happens(2), jitter: .random(in: 0...1, using: &self.generator))
            )
        case .returned(let connection):
            self.lentOut.remove(connection)
            let condition: PoolState.Condition =
                !self.isUp ? (self.happens(50) ? .suspect : .broken) : self.happens(5) ? .broken : .reusable
            try self.perform(self.pool.release(connection, as: condition))
        case .retry:
            try self.perform(self.pool.retry())
        case .wake:
            try self.perform(self.pool.tick(now: self.now))
        case .server(let isUp):
            self.isUp = isUp
            self.timeline.add(.server(isUp: !isUp), after: self.milliseconds(isUp ? 1_000...20_000 : 100...8_000))
        }
    }

    private mutating func perform(_ actions: [PoolState.Action]) throws {
        for action in actions {
            switch action {
            case .lend(let connection, let waiter):
                guard self.waiting.first?.id == waiter else {
                    throw Broken(description: "a connection goes to somebody whose turn it is not")
                }
                self.waiting.removeFirst()
                try self.lend(connection)
            case .fail(let waiter, _):
                guard let place = self.waiting.firstIndex(where: { $0.id == waiter }) else {
                    throw Broken(description: "somebody is answered twice")
                }
                self.waiting.remove(at: place)
                self.failed += 1
            case .open(let connection):
                guard !self.isClosing, self.opening.insert(connection).inserted else {
                    throw Broken(description: "a connection too many")
                }
                let works = self.isUp && !self.happens(3)
                self.timeline.add(works ? .opened(connection) : .refused(connection), after: self.milliseconds(1...400))
            case .retry(let delay):
                guard delay >= .milliseconds(50), delay <= PoolState.longestBackoff else {
                    throw Broken(description: "a pause of \(delay)")
                }
                self.timeline.add(.retry, after: delay)
            case .wake(let instant):
                self.timeline.add(.wake, after: instant - self.now)
            case .close(let connection):
                guard self.open.remove(connection) != nil, !self.lentOut.contains(connection) else {
                    throw Broken(description: "a connection is closed that is in use, or not open")
                }
            case .drained:
                self.drained += 1
            }
        }
    }

    private mutating func lend(_ connection: ConnectionID) throws {
        guard self.open.contains(connection), self.lentOut.insert(connection).inserted else {
            throw Broken(description: "a connection that is closed, or in use, is lent")
        }
        self.lent += 1
        self.timeline.add(.returned(connection), after: self.milliseconds(0...self.usualTime))
    }

    /// Now more than there are connections for, now less.
    private var usualTime: Int { Int(self.timeline.now / .seconds(20)) % 2 == 0 ? 40 : 60 * self.maximum }

    private func check() throws {
        guard self.open.count + self.opening.count <= self.maximum else {
            throw Broken(description: "more connections than there may be")
        }
        if let first = self.waiting.first {
            guard first.until >= self.now else { throw Broken(description: "somebody waits longer than anybody may") }
            guard self.open.count == self.lentOut.count else {
                throw Broken(description: "somebody waits beside an idle connection")
            }
        }
    }
}
