import Foundation
@testable import S3File
import Testing

@Suite struct StatusFeedStateTests {
    private let now = ContinuousClock.now
    private var later: ContinuousClock.Instant { self.now + .seconds(20) }

    /// A change at each count of `age`.
    private func upload(_ id: UUID = UUID(), _ status: UploadStatus = .queued, age: Int = 0) -> Upload {
        Upload(
            id: id,
            status: status,
            field: "docs",
            filename: "report.pdf",
            size: 3,
            contentType: "application/pdf",
            bucket: "media",
            key: "docs/report.pdf",
            attempt: status == .queued ? 0 : 1,
            maxAttempts: 12,
            progress: Upload.Progress(copied: 0, total: 3),
            createdAt: Date(timeIntervalSince1970: 0),
            updatedAt: Date(timeIntervalSince1970: Double(age))
        )
    }

    /// The next read, which there has to be.
    private func read(_ state: inout StatusFeedState) throws -> StatusFeedState.Read {
        let read = state.nextRead(now: self.now)
        return try #require(read)
    }

    @Test func `one read serves all who watch an upload, and wakes those who wait`() {
        var state = StatusFeedState()
        let before = self.upload()
        let watchers = (0..<3).map { _ in state.join([before]) }
        for watcher in watchers.prefix(2) { #expect(state.collect(watcher, until: self.later, now: self.now) == nil) }
        let read = state.nextRead(now: self.now)
        #expect(read?.ids == [before.id])
        #expect(state.nextRead(now: self.now) == nil)
        let after = self.upload(before.id, .moving, age: 1)
        guard let read else { return }
        #expect(Set(state.found([after.id: after], by: read, now: self.now)) == Set(watchers.prefix(2)))
        for watcher in watchers {
            #expect(
                state.collect(watcher, until: self.later, now: self.now) == .news(changed: [after], gone: [], position: nil)
            )
            #expect(state.collect(watcher, until: self.later, now: self.now) == nil)
        }
    }

    @Test func `who is slow to collect is told the latest state only, and each upload once`() throws {
        var state = StatusFeedState()
        let (first, second) = (self.upload(), self.upload())
        let watcher = state.join([first, second])
        for age in 1...100 {
            state.begin(at: [Int64(age)], now: self.now)
            state.changed([(Int64(age + 1), [first.id])], now: self.now)
            let read = try self.read(&state)
            let uploads = [self.upload(first.id, .moving, age: age), second]
            _ = state.found(Dictionary(uniqueKeysWithValues: uploads.map { ($0.id, $0) }), by: read, now: self.now)
        }
        #expect(
            state.collect(watcher, until: self.later, now: self.now)
                == .news(changed: [self.upload(first.id, .moving, age: 100)], gone: [], position: 101)
        )
    }

    @Test func `what a read finds that began before somebody came may be older than what that one knows, and is not told`() throws
    {
        var state = StatusFeedState()
        let old = self.upload()
        _ = state.join([old])
        let read = try self.read(&state)
        let new = self.upload(old.id, .stored, age: 2)
        let watcher = state.join([new])
        _ = state.found([old.id: self.upload(old.id, .moving, age: 1)], by: read, now: self.now)
        #expect(state.collect(watcher, until: self.later, now: self.now) == nil)
        // It came too late for that read, and so there is another.
        let next = try self.read(&state)
        #expect(state.found([new.id: new], by: next, now: self.now) == [])
        #expect(state.collect(watcher, until: self.later, now: self.now) == nil)
    }

    @Test(arguments: [
        (UploadStatus.moving, Duration.milliseconds(900)), (.queued, .seconds(5)), (.stored, .seconds(30)),
        (.failed, .seconds(30)),
    ])
    func `what nothing is heard of is read now and then`(status: UploadStatus, interval: Duration) throws {
        var state = StatusFeedState()
        let upload = self.upload(UUID(), status)
        _ = state.join([upload])
        let read = try self.read(&state)
        _ = state.found([upload.id: upload], by: read, now: self.now)
        #expect(state.nextRead(now: self.now + interval - .milliseconds(1)) == nil)
        var again = state
        #expect(again.nextRead(now: self.now + interval + StatusFeedState.movingInterval)?.ids == [upload.id])
    }

    @Test func `events of uploads that nobody watches are of no interest`() throws {
        var state = StatusFeedState()
        _ = state.join([self.upload()])
        _ = state.nextRead(now: self.now)
        state.begin(at: [1], now: self.now)
        state.changed([(2, (0..<500).map { _ in UUID() })], now: self.now)
        #expect(state.nextRead(now: self.now) == nil)
        #expect(state.position?.last == 2)
    }

    @Test func `a record that was deleted is told as gone`() throws {
        var state = StatusFeedState()
        let upload = self.upload()
        let watcher = state.join([upload])
        let read = try self.read(&state)
        _ = state.found([:], by: read, now: self.now)
        #expect(state.collect(watcher, until: self.later, now: self.now) == .news(changed: [], gone: [upload.id], position: nil))
        #expect(state.collect(watcher, until: self.later, now: self.now) == nil)
    }

    @Test func `a wait ends in time, and all of them when the process stops`() {
        var state = StatusFeedState()
        let watcher = state.join([self.upload()])
        #expect(state.collect(watcher, until: self.later, now: self.now) == nil)
        #expect(state.tick(now: self.later - .milliseconds(1)) == [])
        #expect(state.tick(now: self.later) == [watcher])
        #expect(state.collect(watcher, until: self.later, now: self.later) == .nothing)
        #expect(state.collect(watcher, until: self.later + .seconds(1), now: self.later) == nil)
        #expect(state.close() == [watcher])
        #expect(state.collect(watcher, until: self.later, now: self.now) == .closed)
    }

    @Test func `who leaves leaves nothing behind`() throws {
        var state = StatusFeedState()
        let shared = self.upload()
        let first = state.join([shared, self.upload()])
        let second = state.join([shared])
        state.leave(first)
        #expect(state.nextRead(now: self.now)?.ids == [shared.id])
        state.begin(at: [1], now: self.now)
        state.leave(second)
        state.leave(second)
        #expect(!state.isWatched && state.position == nil)
        #expect(state.nextRead(now: self.now + .seconds(60)) == nil)
    }

    @Test func `after a failure everything is read anew, from a new position`() throws {
        var state = StatusFeedState()
        let uploads = (0..<10).map { _ in self.upload() }
        _ = state.join(uploads)
        state.begin(at: [1], now: self.now)
        let read = try self.read(&state)
        state.failed(read)
        #expect(state.position == nil)
        let again = try self.read(&state)
        #expect(Set(again.ids) == Set(uploads.map(\.id)))
    }
}
