import Foundation
import Testing

@testable import S3File
@testable import S3FileWorker

@Suite struct LookoutTests {
    private let start = ContinuousClock.now
    private var lookout = Lookout()

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { self.start + .milliseconds(milliseconds) }

    /// Looks where the lookout says, and ends it with these jobs.
    private mutating func look(room: Int, found jobs: [Job], at time: Int, for duration: Int = 1) throws -> Lookout.Place {
        let place = try #require(self.lookout.next(now: self.at(time)).place)
        let look = self.lookout.begin(place, room: room, now: self.at(time))
        self.lookout.end(look, found: jobs, now: self.at(time + duration))
        return place
    }

    @Test mutating func `without a reason nobody looks, and the first look is everywhere`() throws {
        #expect(self.lookout.next(now: self.at(0)).place == nil)
        self.lookout.ring(notified: false)
        let place1 = try self.look(room: 2, found: [], at: 0)
        #expect(place1 == .everywhere)
        #expect(!self.lookout.isLooking)
    }

    @Test mutating func `a full claim goes on in its lane, from its first place on`() throws {
        self.lookout.ring(notified: false)
        let place2 = try self.look(room: 2, found: [.sample(runAt: 5), .sample(runAt: 4)], at: 0)
        #expect(place2 == .everywhere)
        guard case .lanes(let lanes) = try self.look(room: 2, found: [.sample(runAt: 6), .sample(runAt: 7)], at: 5) else {
            throw Unexpected()
        }
        #expect(lanes.map(\.runAt) == [Date(timeIntervalSince1970: 4)])
        #expect(self.lookout.lanes.map(\.runAt) == [Date(timeIntervalSince1970: 6)])
        // An older claim that comes back late does not lead back.
        let late = self.lookout.begin(.lanes(lanes), room: 2, now: self.at(6))
        self.lookout.end(late, found: [.sample(runAt: 5), .sample(runAt: 5)], now: self.at(9))
        #expect(self.lookout.lanes.map(\.runAt) == [Date(timeIntervalSince1970: 6)])
    }

    @Test mutating func `a lane that gives less than there is room for is followed by a look everywhere, and only that ends it`()
        throws
    {
        self.lookout.ring(notified: false)
        _ = try self.look(room: 1, found: [.sample()], at: 0)
        let place3 = try self.look(room: 2, found: [.sample()], at: 10)
        #expect(place3 != .everywhere)
        #expect(self.lookout.isLooking)
        let place4 = try self.look(room: 2, found: [.sample()], at: 25)
        #expect(place4 == .everywhere)
        #expect(!self.lookout.isLooking)
    }

    @Test mutating func `while lanes are full there is a look everywhere now and then, for others may have come`() throws {
        self.lookout.ring(notified: false)
        _ = try self.look(room: 1, found: [.sample()], at: 0)
        let place5 = try self.look(room: 1, found: [.sample()], at: 240)
        #expect(place5 != .everywhere)
        let place6 = try self.look(room: 1, found: [.sample()], at: 250)
        #expect(place6 == .everywhere)
        let place7 = try self.look(room: 1, found: [.sample()], at: 340)
        #expect(place7 != .everywhere)
        self.lookout.ring(notified: true)
        let place8 = try self.look(room: 1, found: [.sample()], at: 351)
        #expect(place8 == .everywhere)
    }

    @Test mutating func `looks everywhere that take long take a twentieth of the time, and never more than 2 s apart`() throws {
        for (duration, pause) in [(40, 800), (400, 2_000)] {
            self.lookout = Lookout()
            self.lookout.ring(notified: true)
            _ = try self.look(room: 1, found: [.sample()], at: 0, for: duration)
            self.lookout.ring(notified: true)
            _ = try self.look(room: 1, found: [.sample()], at: 5_000, for: duration)
            // The lane is found empty: nothing is known, and yet the look everywhere has to wait.
            _ = try self.look(room: 1, found: [], at: 5_000 + duration)
            let next = self.lookout.next(now: self.at(5_000 + duration + 1))
            #expect(next.place == nil && next.notBefore == self.at(5_000 + pause))
            #expect(self.lookout.next(now: self.at(5_000 + pause)).place == .everywhere)
        }
    }

    @Test mutating func `one look that took long, as the first on a new connection does, changes nothing`() throws {
        self.lookout.ring(notified: false)
        _ = try self.look(room: 1, found: [], at: 0, for: 90)
        self.lookout.ring(notified: true)
        let place9 = try self.look(room: 1, found: [], at: 110)
        #expect(place9 == .everywhere)
    }

    @Test mutating func `a ring during a look counts after it`() throws {
        self.lookout.ring(notified: false)
        let look = self.lookout.begin(.everywhere, room: 5, now: self.at(0))
        self.lookout.ring(notified: true)
        self.lookout.end(look, found: [], now: self.at(2))
        #expect(self.lookout.isLooking)
    }

    @Test mutating func `one look everywhere at a time; another goes by the lanes, and a failed one is repeated`() throws {
        self.lookout.ring(notified: false)
        let look = self.lookout.begin(.everywhere, room: 1, now: self.at(0))
        #expect(self.lookout.next(now: self.at(1)).place == nil)
        self.lookout.fail(look)
        #expect(self.lookout.next(now: self.at(1)).place == .everywhere)
        _ = try self.look(room: 1, found: [.sample()], at: 1)
        _ = self.lookout.begin(.everywhere, room: 1, now: self.at(300))
        #expect(self.lookout.next(now: self.at(300)).place == .lanes(self.lookout.lanes))
    }

    @Test mutating func `lanes go by priority, and of equals the one that was served goes behind`() throws {
        self.lookout.ring(notified: false)
        _ = try self.look(
            room: 3,
            found: [.sample(queue: "b", priority: 1), .sample(queue: "a"), .sample(queue: "c")],
            at: 0
        )
        #expect(self.lookout.lanes.map(\.queue) == ["a", "c", "b"])
        _ = try self.look(room: 1, found: [.sample(queue: "a")], at: 1)
        #expect(self.lookout.lanes.map(\.queue) == ["c", "a", "b"])
    }

    @Test mutating func `fair queues are asked again as long as they fill their half, and when a job of theirs is done`() throws {
        self.lookout.ring(notified: false)
        let fair = Job.sample(isFair: true)
        let place10 = try self.look(room: 4, found: [fair, fair], at: 0)
        #expect(place10 == .everywhere)
        #expect(self.lookout.lanes.isEmpty)
        let place11 = try self.look(room: 4, found: [fair], at: 2)
        #expect(place11 == .everywhere)
        #expect(!self.lookout.isLooking)
        self.lookout.fairJobEnded()
        let place12 = try self.look(room: 4, found: [], at: 4)
        #expect(place12 == .everywhere)
        #expect(!self.lookout.isLooking)
    }

    private struct Unexpected: Error {}
}

extension Job {
    /// A job whose times are seconds since 1970.
    static func sample(
        id: UUID = UUID(),
        queue: String = "default",
        priority: Int16 = 0,
        runAt: Double = 0,
        isFair: Bool = false
    ) -> Job {
        Job(
            id: id,
            attempt: 1,
            maxAttempts: 12,
            filename: "x.txt",
            contentType: "text/plain",
            size: 1,
            tmpBucket: "media",
            tmpKey: "tmp/s3file/f/x.txt",
            etag: "\"1\"",
            versionID: nil,
            bucket: "media",
            key: "docs/x.txt",
            place: Lane(queue: queue, priority: priority, runAt: Date(timeIntervalSince1970: runAt), uploadID: id),
            isFair: isFair
        )
    }
}
