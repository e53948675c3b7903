import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct ExchangeStateTests {
    private let start = ContinuousClock.now
    private var state: ExchangeState

    init() {
        self.state = ExchangeState(concurrency: 8, mostErrands: 2, drainTimeout: .seconds(20), now: self.start)
    }

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { self.start + .milliseconds(milliseconds) }

    private mutating func step(_ milliseconds: Int, mayClaim: Bool = true) -> ExchangeState.Step {
        self.state.next(now: self.at(milliseconds), mayClaim: mayClaim)
    }

    private mutating func errand(_ milliseconds: Int) throws -> ExchangeState.Errand {
        guard case .exchange(let errand) = self.step(milliseconds) else { throw Unexpected() }
        return errand
    }

    /// Rings, and claims as many as an errand may bring.
    private mutating func claimed(_ count: Int, at milliseconds: Int) throws -> [Job] {
        self.state.ring(notified: true)
        let errand = try self.errand(milliseconds)
        let jobs = (0..<count).map { _ in Job.sample() }
        self.state.done(errand, claimed: jobs, now: self.at(milliseconds))
        guard case .move(let moving) = self.step(milliseconds), moving == jobs else { throw Unexpected() }
        return jobs
    }

    private mutating func move(_ jobs: some Sequence<Job>, at milliseconds: Int) {
        for job in jobs { _ = self.state.moved((job, .stored(etag: "\"1\"", versionID: nil)), now: self.at(milliseconds)) }
    }

    private struct Unexpected: Error {}

    @Test mutating func `an idle worker waits, and a ring makes it claim at once`() throws {
        guard case .wait = self.step(0) else { throw Unexpected() }
        self.state.ring(notified: true)
        let errand = try self.errand(1)
        #expect(errand.outcomes.isEmpty && errand.look?.place == .everywhere)
    }

    @Test mutating func `errands share the room, and none is sent when it is all spoken for`() throws {
        self.state.ring(notified: true)
        let first = try self.errand(0)
        #expect(first.look?.room == 4)
        self.state.done(first, claimed: (0..<4).map { _ in .sample() }, now: self.at(1))
        guard case .move = self.step(1) else { throw Unexpected() }
        let second = try self.errand(1)
        #expect(second.look?.room == 4)
        guard case .wait = self.step(1) else { throw Unexpected() }
    }

    @Test mutating func `outcomes and the next claim go together`() throws {
        let jobs = try self.claimed(4, at: 0)
        self.move(jobs, at: 2)
        let errand = try self.errand(2)
        #expect(errand.outcomes.count == 4 && errand.look?.room == 4)
    }

    @Test mutating func `outcomes wait for others 10 ms, unless there are none to come`() throws {
        let jobs = try self.claimed(2, at: 0)
        self.move(jobs.prefix(1), at: 1)
        guard case .wait(let until) = self.step(1) else { throw Unexpected() }
        #expect(until == self.at(11))
        let gathered = try self.errand(11)
        #expect(gathered.outcomes.count == 1 && gathered.look == nil)
        self.move(jobs.suffix(1), at: 12)
        let last = try self.errand(12)
        #expect(last.outcomes.count == 1)
    }

    @Test mutating func `a small room is worth a claim now and then, so that long moves keep nobody out`() throws {
        _ = try self.claimed(4, at: 0)
        let more = try self.errand(1)
        self.state.done(more, claimed: (0..<3).map { _ in .sample() }, now: self.at(2))
        guard case .move = self.step(2) else { throw Unexpected() }
        // One slot of eight is free.
        self.state.ring(notified: true)
        guard case .wait(let until) = self.step(3) else { throw Unexpected() }
        #expect(until == self.at(51))
        let small = try self.errand(51)
        #expect(small.look?.room == 1)
    }

    @Test
    mutating func `after a failed claim nothing is claimed before what is astray was given back, and outcomes are sent again`()
        throws
    {
        let jobs = try self.claimed(4, at: 0)
        self.move(jobs, at: 1)
        let errand = try self.errand(1)
        self.state.failed(errand, now: self.at(2))
        guard case .wait(let until) = self.step(3) else { throw Unexpected() }
        #expect(until == self.at(102))
        guard case .giveBackOthers(let inFlight) = self.step(102) else { throw Unexpected() }
        #expect(Set(inFlight) == Set(jobs.map(\.id)))
        guard case .wait = self.step(103) else { throw Unexpected() }
        self.state.compared(true, now: self.at(104))
        let again = try self.errand(104)
        #expect(Set(again.outcomes.map(\.job.id)) == Set(jobs.map(\.id)) && again.look != nil)
    }

    @Test mutating func `what is in flight is compared now and then, and only while no errand is under way`() throws {
        self.state.ring(notified: true)
        let errand = try self.errand(9_999)
        guard case .wait = self.step(10_000) else { throw Unexpected() }
        self.state.done(errand, claimed: [], now: self.at(10_001))
        guard case .giveBackOthers = self.step(10_001) else { throw Unexpected() }
        self.state.compared(true, now: self.at(10_002))
        guard case .wait(let until) = self.step(10_002) else { throw Unexpected() }
        #expect(until == self.at(20_002))
    }

    @Test mutating func `what cannot be recorded yet is sent again in a second, and everything else goes on`() throws {
        let jobs = try self.claimed(4, at: 0)
        self.move(jobs, at: 1)
        let errand = try self.errand(1)
        self.state.done(errand, claimed: [], blocked: [jobs[2].id], now: self.at(2))
        #expect(self.state.load.unsettled == 1)
        let others = try self.claimed(4, at: 3)
        self.move(others, at: 4)
        let next = try self.errand(4)
        #expect(next.outcomes.map(\.job) == others && !next.isAgain)
        self.state.done(next, claimed: [], now: self.at(5))
        // Its lanes brought less than there was room for.
        let everywhere = try self.errand(5)
        self.state.done(everywhere, claimed: [], now: self.at(6))
        guard case .wait(let until) = self.step(6) else { throw Unexpected() }
        #expect(until == self.at(1_002))
        let again = try self.errand(1_002)
        #expect(again.outcomes.map(\.job) == [jobs[2]] && again.isAgain)
        self.state.done(again, claimed: [], blocked: [jobs[2].id], now: self.at(1_003))
        // It is not astray.
        guard case .giveBackOthers(let inFlight) = self.step(10_000) else { throw Unexpected() }
        #expect(inFlight == [jobs[2].id])
    }

    @Test mutating func `a shutdown waits ten seconds for what cannot be recorded yet`() throws {
        let jobs = try self.claimed(1, at: 0)
        self.move(jobs, at: 1)
        let errand = try self.errand(1)
        self.state.done(errand, claimed: [], blocked: [jobs[0].id], now: self.at(2))
        self.state.drain(now: self.at(3))
        guard case .wait = self.step(4) else { throw Unexpected() }
        let again = try self.errand(1_002)
        self.state.done(again, claimed: [], blocked: [jobs[0].id], now: self.at(10_002))
        guard case .wait(let until) = self.step(10_002) else { throw Unexpected() }
        #expect(until == self.at(10_003))
        guard case .end = self.step(10_003) else { throw Unexpected() }
    }

    @Test mutating func `an uncertain lease claims nothing, and still settles`() throws {
        let jobs = try self.claimed(4, at: 0)
        self.move(jobs, at: 1)
        guard case .exchange(let errand) = self.step(1, mayClaim: false) else { throw Unexpected() }
        #expect(errand.outcomes.count == 4 && errand.look == nil)
    }

    @Test mutating func `draining claims nothing, settles all, and ends`() throws {
        let jobs = try self.claimed(2, at: 0)
        self.state.drain(now: self.at(1))
        self.state.ring(notified: true)
        guard case .wait(let until) = self.step(1) else { throw Unexpected() }
        #expect(until == self.at(20_001))
        self.move(jobs, at: 5)
        let errand = try self.errand(5)
        #expect(errand.outcomes.count == 2 && errand.look == nil)
        guard case .wait = self.step(6) else { throw Unexpected() }
        self.state.done(errand, claimed: [], now: self.at(7))
        guard case .end = self.step(7) else { throw Unexpected() }
    }

    @Test mutating func `moves that outlast the drain are cancelled, and what cannot be settled then is left to the lease`()
        throws
    {
        _ = try self.claimed(1, at: 0)
        self.state.drain(now: self.at(0))
        guard case .cancelMoves = self.step(20_000) else { throw Unexpected() }
        guard case .wait(let until) = self.step(20_001) else { throw Unexpected() }
        #expect(until == self.at(30_000))
        guard case .end = self.step(30_000) else { throw Unexpected() }
    }

    // MARK: Ahead of the slots

    /// Fills the eight slots with moves of which twenty a second end, and claims this many of the two that will begin within 100 ms.
    private mutating func ahead(_ count: Int) throws -> (moving: [Job], waiting: [Job]) {
        let jobs = try self.claimed(4, at: 0) + self.claimed(4, at: 1)
        for (index, time) in [100, 140, 180, 220, 300].enumerated() { self.move(jobs[index...index], at: time) }
        self.state.ring(notified: true)
        let refill = try self.errand(300)
        #expect(refill.outcomes.count == 5 && refill.look?.room == 5)
        let others = (0..<5).map { _ in Job.sample() }
        self.state.done(refill, claimed: others, now: self.at(300))
        guard case .move(let begun) = self.step(300), begun == others else { throw Unexpected() }
        self.state.ring(notified: true)
        let ahead = try self.errand(301)
        #expect(ahead.look?.room == 2)
        let waiting = (0..<count).map { _ in Job.sample() }
        self.state.done(ahead, claimed: waiting, now: self.at(301))
        guard case .wait = self.step(302) else { throw Unexpected() }
        return (jobs.suffix(3) + others, waiting)
    }

    @Test mutating func `where moves are short, more is claimed than there are slots, and a free slot takes it at once`() throws {
        let jobs = try self.ahead(2)
        for index in 0..<2 {
            let ended = self.state.moved((jobs.moving[index], .stored(etag: "\"1\"", versionID: nil)), now: self.at(310 + index))
            #expect(ended.next == jobs.waiting[index])
        }
        let none = self.state.moved((jobs.moving[2], .stored(etag: "\"1\"", versionID: nil)), now: self.at(312))
        #expect(none.next == nil)
    }

    @Test mutating func `a worker that has moved nothing yet, or moves slowly, claims nothing ahead`() throws {
        let jobs = try self.claimed(4, at: 0) + self.claimed(4, at: 1)
        self.state.ring(notified: true)
        guard case .wait = self.step(100) else { throw Unexpected() }
        for index in 0..<4 { self.move(jobs[index...index], at: 1_000 * (index + 1)) }
        let refill = try self.errand(4_000)
        #expect(refill.look?.room == 4)
    }

    @Test mutating func `what waits too long for a slot goes back to the queue`() throws {
        let jobs = try self.ahead(2)
        guard case .wait(let late) = self.step(310) else { throw Unexpected() }
        #expect(late == self.at(801))
        guard case .wait(let until) = self.step(801) else { throw Unexpected() }
        #expect(until == self.at(811))
        let errand = try self.errand(811)
        #expect(errand.outcomes.map(\.job) == jobs.waiting && errand.outcomes.allSatisfy { $0.outcome == .givenBack })
        #expect(errand.look == nil)
    }

    @Test mutating func `a shutdown gives back what waits, and finishes what moves`() throws {
        let jobs = try self.ahead(2)
        self.state.drain(now: self.at(305))
        guard case .wait(let until) = self.step(306) else { throw Unexpected() }
        let errand = try self.errand(306 + 10)
        #expect(until == self.at(316) && errand.outcomes.map(\.job) == jobs.waiting)
        let ended = self.state.moved((jobs.moving[0], .stored(etag: "\"1\"", versionID: nil)), now: self.at(320))
        #expect(ended.next == nil)
    }

    @Test mutating func `what waits is in flight, when that is compared`() throws {
        let jobs = try self.ahead(2)
        self.state.ring(notified: true)
        self.move(jobs.moving.prefix(1), at: 310)
        let errand = try self.errand(360)
        self.state.failed(errand, now: self.at(361))
        guard case .giveBackOthers(let inFlight) = self.step(500) else { throw Unexpected() }
        #expect(Set(inFlight).isSuperset(of: jobs.waiting.map(\.id)))
    }

    // MARK: Before their turn

    /// Whose turn comes, whether something was asked for it before, and for whom something is asked now.
    private mutating func turn(of job: Job) -> (isPrepared: Bool, begun: [Job]) {
        var begun: [Job] = []
        let asked = self.state.turn(of: job) { upcoming in
            begun.append(upcoming)
            return MultiThreadedEventLoopGroup.singleton.any().makeSucceededFuture(nil)
        }
        return (asked != nil, begun)
    }

    @Test mutating func `while jobs move, those that wait are prepared, each once, and have it when their turn comes`() throws {
        let jobs = try self.ahead(2)
        let first = self.turn(of: jobs.moving[0])
        #expect(!first.isPrepared && first.begun == jobs.waiting)
        let second = self.turn(of: jobs.moving[1])
        #expect(!second.isPrepared && second.begun.isEmpty)
        self.move(jobs.moving.prefix(2), at: 310)
        for job in jobs.waiting {
            let turn = self.turn(of: job)
            #expect(turn.isPrepared && turn.begun.isEmpty)
        }
        let again = self.turn(of: jobs.waiting[0])
        #expect(!again.isPrepared)
    }

    @Test mutating func `what was asked for a job is forgotten when it is given back`() throws {
        let jobs = try self.ahead(2)
        let first = self.turn(of: jobs.moving[0])
        #expect(first.begun.count == 2)
        // Nothing begins for half a second.
        guard case .wait = self.step(900) else { throw Unexpected() }
        let turn = self.turn(of: jobs.waiting[1])
        #expect(!turn.isPrepared && turn.begun.isEmpty)
    }

    /// Forty slots full, ten jobs ahead of them: a hundred moves a second end.
    private static func busy(_ start: ContinuousClock.Instant) throws -> (state: ExchangeState, moving: [Job]) {
        var state = ExchangeState(concurrency: 40, mostErrands: 2, drainTimeout: .seconds(20), now: start)
        var moving: [Job] = []
        func claim(_ room: Int, at milliseconds: Int) throws {
            let now = start + .milliseconds(milliseconds)
            state.ring(notified: true)
            guard case .exchange(let errand) = state.next(now: now, mayClaim: true), errand.look?.room == room else {
                throw Unexpected()
            }
            state.done(errand, claimed: (0..<room).map { _ in .sample() }, now: now)
            if case .move(let jobs) = state.next(now: now, mayClaim: true) { moving += jobs }
        }
        try claim(20, at: 0)
        try claim(20, at: 0)
        for index in 0...20 {
            _ = state.moved((moving[index], .stored(etag: "\"1\"", versionID: nil)), now: start + .milliseconds(100 + 10 * index))
        }
        moving.removeFirst(21)
        try claim(25, at: 300)
        try claim(6, at: 300)
        return (state, moving)
    }

    @Test func `what is ahead is fetched again when half of it has begun, and before a slot has nothing to do`() throws {
        var (state, moving) = try Self.busy(self.start)
        #expect(moving.count == 40)
        for index in 0..<4 {
            let ended = state.moved((moving[index], .stored(etag: "\"1\"", versionID: nil)), now: self.at(305))
            #expect(ended.next != nil)
        }
        // Neither the room nor the outcomes are worth an exchange yet.
        guard case .wait(let until) = state.next(now: self.at(305), mayClaim: true) else { throw Unexpected() }
        #expect(until == self.at(350))
        let ended = state.moved((moving[4], .stored(etag: "\"1\"", versionID: nil)), now: self.at(306))
        #expect(ended.next != nil && ended.isReason)
        guard case .exchange(let errand) = state.next(now: self.at(306), mayClaim: true) else { throw Unexpected() }
        #expect(errand.look?.room == 5 && errand.outcomes.count == 5)
    }

    @Test func `where an exchange takes long, more is fetched ahead, up to the number of slots`() throws {
        var (state, moving) = try Self.busy(self.start)
        var (rooms, errands): ([Int], [ExchangeState.Errand]) = ([], [])
        func steps(_ now: ContinuousClock.Instant) {
            while true {
                switch state.next(now: now, mayClaim: true) {
                case .move(let jobs): moving += jobs
                case .exchange(let errand): errands.append(errand)
                default: return
                }
            }
        }
        for round in 0..<30 {
            let now = self.at(400 + 100 * round)
            // As many end as before.
            for _ in 0..<min(20, moving.count) {
                if let next = state.moved((moving.removeFirst(), .stored(etag: "\"1\"", versionID: nil)), now: now).next {
                    moving.append(next)
                }
            }
            state.ring(notified: true)
            steps(now)
            for errand in errands {
                let room = errand.look?.room ?? 0
                rooms.append(room)
                state.done(errand, claimed: (0..<room).map { _ in .sample() }, now: now + .milliseconds(90))
            }
            errands = []
            steps(now + .milliseconds(90))
        }
        #expect(rooms.count > 10)
        #expect(rooms.max() ?? 0 > 10 && rooms.allSatisfy { $0 <= 40 })
    }
}
