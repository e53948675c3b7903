import TestEnvironment
import Testing

@testable import S3FileWorker

@Suite struct WorkerLeaseTests {
    private func lease(sentAgo: Duration) -> WorkerLease {
        WorkerLease(worker: 1, duration: .seconds(15), sentAt: .now - sentAgo)
    }

    @Test func `a lease is certain until its margin, counted from when the heartbeat was sent`() {
        let sentAt = ContinuousClock.now
        let lease = WorkerLease(worker: 1, duration: .seconds(15), sentAt: sentAt)
        #expect(lease.isCertain(now: sentAt + .seconds(11.9)))
        #expect(!lease.isCertain(now: sentAt + .seconds(12)))
    }

    @Test func `while it is uncertain nothing begins, and a heartbeat lets everything go on`() async throws {
        let lease = self.lease(sentAgo: .seconds(13))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { try await lease.check() } }
            try await Task.sleep(for: .milliseconds(20))
            // An older answer says nothing.
            lease.prolong(sentAt: .now - .seconds(14))
            lease.prolong(sentAt: .now)
            try await group.waitForAll()
        }
        try await lease.check()
    }

    @Test func `a lost lease throws, for those who wait and for those who come`() async throws {
        let lease = self.lease(sentAgo: .seconds(13))
        let waiting = Task { try await lease.check() }
        try await Task.sleep(for: .milliseconds(20))
        lease.lose()
        await #expect(throws: LeaseLost.self) { try await waiting.value }
        lease.prolong(sentAt: .now)
        #expect(!lease.isCertain())
        await #expect(throws: LeaseLost.self) { try await lease.check() }
    }

    @Test func `who waits can be cancelled`() async {
        let lease = self.lease(sentAgo: .seconds(13))
        for _ in 0..<50 {
            let task = Task { try await lease.check() }
            if Bool.random() { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func `contact is lost by a failure, and by a silence in which this process may have been stopped`() {
        let start = ContinuousClock.now
        var contact = Contact()
        #expect(!contact.hasLasted(.seconds(4), now: start))
        for second in 0...4 { contact.worked(at: start + .seconds(second)) }
        #expect(contact.hasLasted(.seconds(4), now: start + .seconds(4)))
        contact.failed()
        contact.worked(at: start + .seconds(5))
        #expect(!contact.hasLasted(.seconds(4), now: start + .seconds(6)))
        contact.worked(at: start + .seconds(20))
        #expect(!contact.hasLasted(.seconds(4), now: start + .seconds(20)))
    }
}
