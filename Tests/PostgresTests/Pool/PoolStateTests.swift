import Testing

@testable import Postgres

@Suite("PoolState")
struct PoolStateTests {
    private typealias Connection = PoolState.ConnectionID
    private typealias Waiter = PoolState.WaiterID
    private let start = ContinuousClock.now
    private let one = Connection(number: 1)
    private let two = Connection(number: 2)
    private func waiter(_ number: Int) -> Waiter { Waiter(number: number) }

    @Test("who asks before the start waits, and a connection is opened for each once it runs, up to the maximum")
    func startup() {
        var pool = PoolState(maximum: 2, patience: .seconds(10))
        #expect(pool.wait(self.waiter(1), now: self.start) == [.wake(at: self.start + .seconds(10))])
        #expect(pool.wait(self.waiter(2), now: self.start).isEmpty)
        #expect(pool.wait(self.waiter(3), now: self.start).isEmpty)
        #expect(pool.start() == [.open(self.one), .open(self.two)])
        #expect(pool.start() == nil)
        #expect(pool.opened(self.two) == [.lend(self.two, to: self.waiter(1))])
        #expect(pool.opened(self.one) == [.lend(self.one, to: self.waiter(2))])
        #expect(pool.release(self.one, as: .reusable) == [.lend(self.one, to: self.waiter(3))])
    }

    @Test("nothing is opened that nobody waits for, and idle connections are lent at once, but not past the queue")
    func idle() {
        var pool = PoolState(maximum: 2, patience: .seconds(10))
        #expect(pool.start() == [])
        #expect(pool.leaseNow() == nil)
        #expect(pool.wait(self.waiter(1), now: self.start) == [.open(self.one), .wake(at: self.start + .seconds(10))])
        #expect(pool.opened(self.one) == [.lend(self.one, to: self.waiter(1))])
        #expect(pool.release(self.one, as: .reusable) == [])
        #expect(pool.leaseNow() == self.one)
        #expect(pool.leaseNow() == nil)
        #expect(pool.wait(self.waiter(2), now: self.start) == [.open(self.two)])
        #expect(pool.leaseNow() == nil)
        #expect(pool.release(self.one, as: .reusable) == [.lend(self.one, to: self.waiter(2))])
        #expect(pool.opened(self.two) == [])
        #expect(pool.leaseNow() == self.two)
    }

    @Test("a broken connection is closed and replaced when somebody waits")
    func broken() {
        var pool = PoolState(maximum: 1, patience: .seconds(10))
        _ = pool.start()
        _ = pool.wait(self.waiter(1), now: self.start)
        _ = pool.opened(self.one)
        #expect(pool.wait(self.waiter(2), now: self.start) == [])
        #expect(pool.release(self.one, as: .broken) == [.close(self.one), .open(self.two)])
        #expect(pool.opened(self.two) == [.lend(self.two, to: self.waiter(2))])
        #expect(pool.release(self.two, as: .broken) == [.close(self.two)])
        #expect(pool.release(self.two, as: .broken) == [], "a lease comes back once")
    }

    @Test("a connection that makes its server suspect takes the idle ones with it")
    func suspect() {
        var pool = PoolState(maximum: 3, patience: .seconds(10))
        _ = pool.start()
        for number in 1...3 { _ = pool.wait(self.waiter(number), now: self.start) }
        for number in 1...3 { _ = pool.opened(Connection(number: number)) }
        _ = pool.release(self.one, as: .reusable)
        #expect(pool.release(self.two, as: .suspect) == [.close(self.two), .close(self.one)])
        #expect(pool.leaseNow() == nil)
        #expect(pool.wait(self.waiter(4), now: self.start) == [.open(Connection(number: 4))])
        #expect(pool.release(Connection(number: 3), as: .reusable) == [.lend(Connection(number: 3), to: self.waiter(4))])
    }

    @Test("a cancelled waiter is told once and skipped")
    func cancellation() {
        var pool = PoolState(maximum: 1, patience: .seconds(10))
        _ = pool.start()
        _ = pool.wait(self.waiter(1), now: self.start)
        _ = pool.wait(self.waiter(2), now: self.start)
        #expect(pool.cancel(self.waiter(1)) == [.fail(self.waiter(1), .cancelled)])
        #expect(pool.cancel(self.waiter(1)) == [])
        #expect(pool.opened(self.one) == [.lend(self.one, to: self.waiter(2))])
        #expect(pool.cancel(self.waiter(2)) == [], "it has been served")
    }

    @Test("patience ends in the order of asking, with the reason")
    func patience() {
        var pool = PoolState(maximum: 1, patience: .seconds(10))
        _ = pool.wait(self.waiter(1), now: self.start)
        #expect(pool.tick(now: self.start + .seconds(10)) == [.fail(self.waiter(1), .notRunning)])
        _ = pool.start()
        #expect(pool.wait(self.waiter(2), now: self.start) == [.open(self.one), .wake(at: self.start + .seconds(10))])
        #expect(pool.wait(self.waiter(3), now: self.start + .seconds(1)) == [])
        #expect(
            pool.tick(now: self.start + .seconds(10))
                == [.fail(self.waiter(2), .unreachable), .wake(at: self.start + .seconds(11))]
        )
        #expect(pool.opened(self.one) == [.lend(self.one, to: self.waiter(3))])
        #expect(pool.tick(now: self.start + .seconds(11)) == [])
        #expect(pool.wait(self.waiter(4), now: self.start + .seconds(20)) == [.wake(at: self.start + .seconds(30))])
        #expect(pool.tick(now: self.start + .seconds(30)) == [.fail(self.waiter(4), .exhausted)])
    }

    @Test("while the server does not answer one connection at a time is tried, with growing pauses, until it does")
    func backoff() {
        var pool = PoolState(maximum: 3, patience: .seconds(60))
        _ = pool.start()
        for number in 1...3 { _ = pool.wait(self.waiter(number), now: self.start) }
        #expect(pool.openFailed(self.one, permanent: false, jitter: 1) == [.retry(after: .milliseconds(100))])
        #expect(pool.openFailed(self.two, permanent: false, jitter: 1) == [])
        #expect(pool.openFailed(Connection(number: 3), permanent: false, jitter: 1) == [])
        #expect(pool.wait(self.waiter(4), now: self.start) == [], "not during the pause")
        #expect(pool.retry() == [.open(Connection(number: 4))])
        #expect(pool.openFailed(Connection(number: 4), permanent: false, jitter: 1) == [.retry(after: .milliseconds(800))])
        #expect(pool.retry() == [.open(Connection(number: 5))])
        #expect(
            pool.opened(Connection(number: 5))
                == [
                    .lend(Connection(number: 5), to: self.waiter(1)), .open(Connection(number: 6)), .open(Connection(number: 7)),
                ]
        )
        #expect(PoolState.backoff(failures: 1, jitter: 0) == .milliseconds(50))
        #expect(PoolState.backoff(failures: 1_000_000, jitter: 1) == .seconds(1))
    }

    @Test("a permanent refusal fails all who wait, but not while another connection works")
    func permanentRefusal() {
        var pool = PoolState(maximum: 2, patience: .seconds(60))
        _ = pool.start()
        _ = pool.wait(self.waiter(1), now: self.start)
        _ = pool.wait(self.waiter(2), now: self.start)
        _ = pool.opened(self.one)
        #expect(pool.openFailed(self.two, permanent: true, jitter: 1) == [.retry(after: .milliseconds(100))])
        #expect(pool.release(self.one, as: .broken) == [.close(self.one)])
        #expect(pool.retry() == [.open(Connection(number: 3))])
        #expect(
            pool.openFailed(Connection(number: 3), permanent: true, jitter: 1)
                == [.fail(self.waiter(2), .unreachable), .retry(after: .milliseconds(200))]
        )
    }

    @Test("shutdown fails who waits, closes what is idle, and is drained when the last lease is back")
    func shutdown() {
        var pool = PoolState(maximum: 3, patience: .seconds(60))
        _ = pool.start()
        for number in 1...3 { _ = pool.wait(self.waiter(number), now: self.start) }
        _ = pool.opened(self.one)
        _ = pool.opened(self.two)
        _ = pool.release(self.one, as: .reusable)
        #expect(pool.cancel(self.waiter(3)) == [], "it got the connection that came back")
        _ = pool.release(self.one, as: .reusable)
        _ = pool.wait(self.waiter(4), now: self.start)
        _ = pool.wait(self.waiter(5), now: self.start)
        #expect(pool.shutdown() == [.fail(self.waiter(5), .closed)])
        #expect(pool.shutdown() == [])
        #expect(pool.opened(Connection(number: 3)) == [.close(Connection(number: 3))], "it opened too late")
        #expect(pool.wait(self.waiter(6), now: self.start) == [.fail(self.waiter(6), .closed)])
        #expect(pool.leaseNow() == nil)
        #expect(pool.release(self.one, as: .reusable) == [.close(self.one)])
        #expect(pool.release(self.two, as: .reusable) == [.close(self.two), .drained])
    }

    @Test("a pool without leases is drained by the shutdown itself")
    func idleShutdown() {
        var pool = PoolState(maximum: 1, patience: .seconds(60))
        _ = pool.start()
        _ = pool.wait(self.waiter(1), now: self.start)
        _ = pool.opened(self.one)
        _ = pool.release(self.one, as: .reusable)
        #expect(pool.shutdown() == [.close(self.one), .drained])
    }
}
